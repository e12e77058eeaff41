/**
 * Purgatory: the code between two kernels. It holds a table of (start, length) pairs and the
 * SHA-256 over them; where the memory does not match, it loops for ever. Found in a loaded image
 * without symbols: the pairs are those of other segments, and the digest is the one that matches.
 * Source: arch/x86/purgatory/purgatory.c, kernel/kexec_file.c kexec_calculate_store_digests();
 * kexec-tools purgatory/purgatory.c.
 */

import { PhysicalMemory } from '../linux/physical.ts';
import type { Machine } from './machine.ts';
import { type PhysicalRange, without } from './ram.ts';

export interface Segment {
  /** Physical start and length: kexec_segment's mem and memsz. */
  readonly start: number;
  readonly size: number;
}

/** Where purgatory's table and digest stand: compiled in, taken at set-up. Physical addresses. */
export interface DigestTable {
  readonly regions: number;
  readonly digest: number;
  /** Index of purgatory's own segment. */
  readonly segment: number;
}

/** KEXEC_SEGMENT_MAX: slots of the table, unused ones are zero. */
export const maxRegions = 16;
export const digestSize = 32;
const regionsSize = maxRegions * 16;
/** A kernel and its initrd are far smaller: a table that names more was overwritten. */
const maxDigested = 1024 * 1024 * 1024;

/** Undefined where no segment has such a table: an image that nothing checks. */
export function findDigestTable(
  machine: Machine,
  segments: readonly Segment[],
): DigestTable | undefined {
  const memory = new PhysicalMemory(machine.memory);
  for (const [index, segment] of segments.entries()) {
    // Purgatory is some 20 KB; kernels and initrds are not searched.
    if (segment.size > 256 * 1024) continue;
    const bytes = memory.read(BigInt(segment.start), segment.size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + regionsSize <= bytes.length; at += 8) {
      if (!isTable(view, at, segments)) continue;
      const regions = segment.start + at;
      const expected = digestOf(machine, regions);
      const digest = expected === undefined ? -1 : indexOfBytes(bytes, expected);
      if (digest >= 0) return { regions, digest: segment.start + digest, segment: index };
    }
  }
  return undefined;
}

/** Purgatory's segment without what it looks up: its code, and data that it starts with. */
export function purgatoryCode(
  segments: readonly Segment[],
  { regions, digest, segment }: DigestTable,
): PhysicalRange[] {
  const own = segments[segment]!;
  const table = { start: regions, end: regions + regionsSize };
  const rest = without([{ start: own.start, end: own.start + own.size }], table);
  return without(rest, { start: digest, end: digest + digestSize });
}

/** Hashes what the table in memory names now and compares with the digest in memory now. */
export function digestMatches(machine: Machine, table: DigestTable): boolean {
  const stored = new PhysicalMemory(machine.memory).read(BigInt(table.digest), digestSize);
  const digest = digestOf(machine, table.regions);
  return digest?.every((byte, index) => byte === stored[index]) === true;
}

/** Whoever changes a segment at set-up has it hashed again. */
export function renewDigest(machine: Machine, table: DigestTable): void {
  const digest = digestOf(machine, table.regions);
  if (digest !== undefined) machine.memory.write(BigInt(table.digest), digest);
}

/** Undefined where the table names what is no memory: nothing can match then. */
function digestOf(machine: Machine, table: number): Uint8Array | undefined {
  const memory = new PhysicalMemory(machine.memory);
  const regions = regionsIn(memory, table);
  const total = regions.reduce((sum, region) => sum + region.size, 0);
  const end = machine.memory.endPfn * machine.memory.pageSize;
  if (total > maxDigested || regions.some(({ start, size }) => start + size > end))
    return undefined;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const { start, size } of regions) {
    bytes.set(memory.read(BigInt(start), size), at);
    at += size;
  }
  return machine.sha256(bytes);
}

function indexOfBytes(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

/** Bytes that purgatory hashes. */
export function digestedBytes(machine: Machine, table: DigestTable): number {
  return regionsIn(new PhysicalMemory(machine.memory), table.regions).reduce(
    (sum, region) => sum + region.size,
    0,
  );
}

function regionsIn(memory: PhysicalMemory, table: number): Segment[] {
  const bytes = memory.read(BigInt(table), regionsSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: maxRegions }, (_, slot) => ({
    start: Number(view.getBigUint64(slot * 16, true)),
    size: Number(view.getBigUint64(slot * 16 + 8, true)),
  })).filter((region) => region.size > 0);
}

function isTable(view: DataView, at: number, segments: readonly Segment[]): boolean {
  let known = 0;
  for (let slot = 0; slot < maxRegions; slot++) {
    const start = Number(view.getBigUint64(at + slot * 16, true));
    const size = Number(view.getBigUint64(at + slot * 16 + 8, true));
    if (start === 0 && size === 0) continue;
    if (!segments.some((segment) => segment.start === start && segment.size === size)) return false;
    known++;
  }
  // All but purgatory itself and, in newer kernels, elfcorehdr.
  return known > 0 && known >= segments.length - 2;
}
