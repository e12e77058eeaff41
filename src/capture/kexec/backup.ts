/**
 * The first 640 KB, which the kexec of 2004 had to save: its second kernel could boot nowhere else.
 * Purgatory copies them into the reserved region, after the digest and by three words of its own
 * that no digest covers; the second kernel then overwrites them, and elfcorehdr says where the copy
 * is. Today the low megabyte is reserved and nothing is copied. Source: kexec-tools
 * purgatory/arch/i386 (backup_src, backup_dest, backup_sz) and kexec/arch/i386/crashdump-x86.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import { count64, struct } from '../../bytes/struct.ts';
import type { MemoryImage } from '../../dump/types.ts';
import { basePageSize } from '../../linux/paging.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import { elfcoreBytes } from '../../machine/crash-content.ts';
import type { CrashKernel } from '../../machine/crash-kernel.ts';
import type { OldRam } from '../../machine/elfcore.ts';
import type { Machine } from '../../machine/machine.ts';
import { renewDigest } from '../../machine/purgatory.ts';
import { type PhysicalRange, without } from '../../machine/ram.ts';

/** BACKUP_SRC_END: conventional memory of a PC. */
export const backupSize = 640 * 1024;
/** Room that the region needs besides: the copy, and a page for the words. */
export const backupRoom = backupSize + basePageSize;

const Words = struct('purgatory_backup', {
  source: count64('backup_src: 0.'),
  destination: count64('backup_dest: physical address of the copy.'),
  size: count64('backup_sz: bytes.'),
});

/** Plain data. */
export interface Backup {
  /** Where purgatory's three words are. Physical. */
  readonly words: PhysicalRange;
  readonly copy: PhysicalRange;
}

/** As `kexec -p` of 2004 leaves it; `taken`: what of the region is in use besides the segments. */
export function placeBackup(
  machine: Machine,
  crash: CrashKernel,
  taken: readonly PhysicalRange[],
): Backup {
  const { region, segments, elfcore, digest } = crash;
  const used = [
    ...segments.map(({ start, size }) => ({ start, end: start + size })),
    elfcore,
    ...taken,
  ];
  const free = used.reduce<PhysicalRange[]>(
    (left, range) => without(left, wholePages(range)),
    [{ start: region.start, end: region.end }],
  );
  const hole = free.findLast(({ start, end }) => end - start >= backupRoom);
  if (hole === undefined) {
    throw new DumpError('unsupported', 'the reserved region has no room for 640 KB of backup', {
      where: { file: machine.name, physical: BigInt(region.start) },
      hint: 'method kexec in its usual generation needs none',
    });
  }
  const copy = { start: hole.end - backupSize, end: hole.end };
  const words = { start: copy.start - basePageSize, end: copy.start - basePageSize + Words.size };
  const page = new Uint8Array(basePageSize);
  page.set(Words.encode({ source: 0, destination: copy.start, size: backupSize }));
  machine.memory.write(BigInt(words.start), page);
  machine.memory.write(BigInt(copy.start), new Uint8Array(backupSize));
  const header = elfcoreBytes(machine, region, { end: backupSize, copy: copy.start });
  if (header.length > elfcore.end - elfcore.start) {
    throw new DumpError('unsupported', 'elfcorehdr has no room for the backup', {
      where: { file: machine.name, physical: BigInt(elfcore.start) },
    });
  }
  machine.memory.write(BigInt(elfcore.start), header);
  if (digest !== undefined) renewDigest(machine, digest);
  const after = `0x${copy.start.toString(16)}-0x${(copy.end - 1).toString(16)}`;
  machine.edits.push({ what: 'room for a backup of the first 640 KB', after });
  return { words, copy };
}

function wholePages({ start, end }: PhysicalRange): PhysicalRange {
  return {
    start: start - (start % basePageSize),
    end: Math.ceil(end / basePageSize) * basePageSize,
  };
}

/** Purgatory's copy, by its words as they are now: nobody checks them. Gives the bytes copied. */
export function copyBackup(machine: Machine, { words }: Backup): number {
  const memory = new PhysicalMemory(machine.memory);
  const { source, destination, size } = Words.read(memory.read(BigInt(words.start), Words.size));
  const end = machine.memory.endPfn * basePageSize;
  if (source + size > end || destination + size > end) {
    throw new DumpError('absent', 'purgatory copies from or to what is no memory', {
      where: { virtual: BigInt(Math.max(source, destination)) },
    });
  }
  for (let done = 0; done < size; done += basePageSize) {
    const length = Math.min(basePageSize, size - done);
    const { bytes } = machine.memory.stablePage(Math.floor((source + done) / basePageSize));
    // No RAM there: the bus answers with nothing that a dump would want.
    if (bytes === undefined) continue;
    const from = (source + done) % basePageSize;
    machine.memory.write(BigInt(destination + done), bytes.subarray(from, from + length));
  }
  return size;
}

/** What the second kernel makes of the memory that it boots in. */
export function overwriteLow(machine: Machine): void {
  const page = new Uint8Array(basePageSize).map((_, at) => (at * 197) & 0xff);
  for (let at = 0; at < backupSize; at += basePageSize) {
    if (machine.memory.readPage(at / basePageSize).bytes === undefined) continue;
    machine.memory.write(BigInt(at), page);
  }
}

/** Old memory as /proc/vmcore shows it: where elfcorehdr says so, a page is read elsewhere. */
export function oldMemory(machine: Machine, ram: readonly OldRam[]): MemoryImage {
  const { memory } = machine;
  const moved = ram.filter((range) => range.readAt !== undefined);
  const pageBehind = (pfn: number): number => {
    const at = pfn * basePageSize;
    const range = moved.find(({ start, end }) => at >= start && at < end);
    const shift = range === undefined ? 0 : range.readAt! - range.start;
    return pfn + Math.floor(shift / basePageSize);
  };
  return {
    name: memory.name,
    pageSize: memory.pageSize,
    endPfn: memory.endPfn,
    state: (pfn) => memory.state(pfn),
    readPage: (pfn) => memory.stablePage(pageBehind(pfn)),
    runs: () => memory.runs(),
  };
}
