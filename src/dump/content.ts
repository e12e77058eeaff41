/** What a writer is given, and what it says when it is done. */

import type { Architecture, ElfNote, MemoryImage, PfnRange, Registers, Utsname } from './types.ts';

export interface DumpContent {
  /** Pages in state `stored` or `zero` are written, the others stay what they are. */
  readonly image: MemoryImage;
  /**
   * Whether the image is known not to be whole; asked again at the end: readers find out while they
   * read.
   */
  readonly isIncomplete?: () => boolean;
  /** The kernel's; x86_64 unless said. */
  readonly architecture?: Architecture;
  readonly uts: Utsname;
  /** Seconds since 1970. */
  readonly time: number;
  /** NT_PRSTATUS for each CPU, and VMCOREINFO. */
  readonly notes: readonly ElfNote[];
  readonly vmcoreinfo: string | undefined;
  readonly physBase: bigint;
  readonly panic?: { readonly message: string; readonly task: bigint; readonly cpu: number };
  /** For LKCD's arch header and diskdump's tasks, by CPU number. */
  readonly cpus: readonly {
    readonly registers: Registers;
    readonly task: bigint;
    readonly stack: bigint;
  }[];
  /** Virtual address of physical address 0 in the kernel's direct map: ELF has a place for it. */
  readonly directMap?: bigint;
  /** Where the kernel's image is, in bytes: for ELF. */
  readonly kernel?: { readonly virtual: bigint; readonly physical: number; readonly size: number };
}

/** Called now and then with the pages done and the pages due. */
export type Progress = (done: number, total: number) => void;

export interface WriteSummary {
  /** Size of the file. */
  readonly bytes: number;
  readonly pages: number;
  /** Pages of zeros among them. */
  readonly zeroPages: number;
  /** Pages that the image's index has, but that could not be read: they are not in the file. */
  readonly unreadable: number;
}

/** Does the file have to say that it is not whole, as far as is known? */
export function isCutShort(
  { isIncomplete }: DumpContent,
  { unreadable }: Pick<WriteSummary, 'unreadable'>,
): boolean {
  return unreadable > 0 || isIncomplete?.() === true;
}

/** Pages to write in maximal runs, ascending. */
export function* keptRuns(image: MemoryImage): Generator<PfnRange> {
  let first = 0;
  let end = 0;
  for (const run of image.runs()) {
    if (run.state !== 'stored' && run.state !== 'zero') continue;
    if (run.first !== end) {
      if (end > first) yield { first, end };
      first = run.first;
    }
    end = run.end;
  }
  if (end > first) yield { first, end };
}

const zeroPages = new Map<number, Uint8Array>();

/** The one page of zeros of this size: known without looking. Nobody writes to it. */
export function zeroPageOf(size: number): Uint8Array {
  let page = zeroPages.get(size);
  if (page === undefined) {
    page = new Uint8Array(size);
    zeroPages.set(size, page);
  }
  return page;
}

export function isZeroPage(bytes: Uint8Array): boolean {
  if (bytes === zeroPages.get(bytes.length)) return true;
  // A few bytes from all over tell most other pages.
  for (let at = 0; at < bytes.length; at += 59) if (bytes[at] !== 0) return false;
  if (bytes.byteOffset % 4 !== 0 || bytes.length % 32 !== 0) {
    return bytes.every((byte) => byte === 0);
  }
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let at = 0; at < words.length; at += 8) if (anyOfEight(words, at)) return false;
  return true;
}

/** Eight at a time: four times as fast as one by one, and nearly all pages come here to be zero. */
function anyOfEight(words: Int32Array, at: number): boolean {
  const first = words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!;
  return (first | words[at + 4]! | words[at + 5]! | words[at + 6]! | words[at + 7]!) !== 0;
}
