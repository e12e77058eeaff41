/**
 * An LKCD file that grows on the dump device, a buffer at a time. The first 64 KB of the device
 * stay as they are, because a swap header may stand there; nothing else of the device is looked at.
 * Source: LKCD's dump_blockdev.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { BlockWrite } from '../../machine/files.ts';
import type { Machine } from '../../machine/machine.ts';
import { failed, type StageResult } from '../method.ts';

/** Where the file begins on its device. */
export const deviceOffset = 64 * 1024;
/** DUMP_BUFFER_SIZE. */
const bufferSize = 64 * 1024;

/** Plain data: what of the file is on the device. */
export interface Written {
  offset: number;
  pages: number;
}

/** Throws `io` where the device does not take it. */
export class DeviceFile {
  readonly #machine: Machine;
  readonly #state: Written;
  readonly #write: BlockWrite;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(machine: Machine, state: Written, write: BlockWrite) {
    this.#machine = machine;
    this.#state = state;
    this.#write = write;
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

  #writeAt(offset: number, parts: readonly Uint8Array[], length: number): void {
    const { start, size, name } = this.#machine.disk.partition('dump');
    if (deviceOffset + offset + length > size) {
      throw new DumpError('io', `ENOSPC: ${name} has no room for what comes after ${offset} bytes`);
    }
    this.#write(start + deviceOffset + offset, parts);
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
