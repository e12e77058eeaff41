/** An LKCD file that grows where its device puts it, a buffer at a time. */

import { DumpError } from '../../bytes/errors.ts';
import { failed, type StageResult } from '../method.ts';

/** DUMP_BUFFER_SIZE. */
const bufferSize = 64 * 1024;

/** Plain data: what of the file is on the device. */
export interface Written {
  offset: number;
  pages: number;
}

/** Writes at a byte of the file. Throws `io` where the device does not take it. */
export type WriteAt = (offset: number, parts: readonly Uint8Array[], length: number) => void;

export class LkcdFile {
  readonly #state: Written;
  readonly #writeAt: WriteAt;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(state: Written, writeAt: WriteAt) {
    this.#state = state;
    this.#writeAt = writeAt;
  }

  /** A record, and its page. */
  append(record: Uint8Array, data: Uint8Array): void {
    const length = record.length + data.length;
    if (this.#length + length > bufferSize) this.flush();
    this.#parts.push(record, data);
    this.#length += length;
  }

  flush(): void {
    if (this.#length === 0) return;
    const [parts, length] = [this.#parts, this.#length];
    this.#parts = [];
    this.#length = 0;
    this.#writeAt(this.#state.offset, parts, length);
    this.#state.offset += length;
  }

  /** Everything before the records; they follow it. */
  writeHeader(area: Uint8Array): void {
    this.#writeAt(0, [area], area.length);
    this.#state.offset = Math.max(this.#state.offset, area.length);
  }
}

/** What `body` has on the device before it fails by `io` stays there. */
export function orEnd(written: Readonly<Written>, body: () => StageResult): StageResult {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== 'io') throw error;
    return failed(`${error.message}, after ${written.pages} pages`, 'dump device');
  }
}
