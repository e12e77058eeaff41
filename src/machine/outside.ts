/**
 * Files that others than the machine keep for it: the host that it is a guest of, a dump server on
 * its network. No disk of the machine is asked and no time of it passes; what is written is kept
 * and not copied.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Extent } from '../bytes/extents.ts';
import { KeptFile } from '../bytes/kept-file.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';

/** Plain data. */
export type SavedOutside = readonly {
  readonly name: string;
  readonly size: number;
  readonly extents: readonly Extent[];
}[];

export class OutsideFiles {
  readonly #files = new Map<string, KeptFile>();

  constructor(saved: SavedOutside = []) {
    for (const { name, size, extents } of saved) {
      this.#files.set(name, new KeptFile(name, { size, extents }));
    }
  }

  names(): string[] {
    return [...this.#files.keys()];
  }

  /** A new file, or an empty one in the place of another. */
  create(name: string): Sink {
    const file = new KeptFile(name);
    this.#files.set(name, file);
    return file;
  }

  /** To be written on; made where there is none. */
  append(name: string): Sink {
    return this.#files.get(name) ?? this.create(name);
  }

  rename(from: string, to: string): void {
    const file = this.#find(from);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  open(name: string): Source {
    return this.#find(name).source();
  }

  save(): SavedOutside {
    return [...this.#files].map(([name, file]) => ({ name, ...file.save() }));
  }

  #find(name: string): KeptFile {
    const file = this.#files.get(name);
    if (file !== undefined) return file;
    throw new DumpError('absent', `nobody outside of the machine has a file ${name}`);
  }
}
