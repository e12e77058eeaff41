/**
 * The addresses of kallsyms, of which lost pages cost their own entries and no more.
 * Source: kernel/kallsyms.c, kallsyms_sym_address().
 */

import { DumpError } from '../bytes/errors.ts';
import type { KallsymsTables } from './kallsyms-tables.ts';
import type { AddressSpace } from './memory.ts';
import { basePageSize } from './paging.ts';
import { readSparse, type SparseBytes, touchesHole } from './sparse.ts';

export interface Addresses {
  /**
   * Signed 64-bit numbers, which are exact for the kernel's image and for per-CPU offsets; in place
   * of one that is lost stands the nearest one before it.
   */
  readonly values: Float64Array;
  /** 1 for those that are lost; undefined where none is. */
  readonly isLost: Uint8Array | undefined;
  readonly lost: number;
  /** Why some are lost. */
  readonly problem: DumpError | undefined;
}

/** Throws where not a single address can be had. */
export function readAddresses(memory: AddressSpace, tables: KallsymsTables): Addresses {
  const { count } = tables;
  const { start, width, valuesOf } = formOf(tables);
  const table = readSparse(memory, start, count * width);
  const values = valuesOf(table);
  const isLost = new Uint8Array(count);
  let lost = 0;
  let disordered = 0;
  const pages = [...pagesOf(start, count, width)];
  for (const [first, end] of pages) {
    const isHole = touchesHole(table.holes, first * width, end * width);
    const isOrdered = isHole || isAscending(values, first, end);
    if (!isOrdered) disordered++;
    if (isHole || !isOrdered) {
      isLost.fill(1, first, end);
      lost += end - first;
    }
  }
  if (lost === 0) return { values, isLost: undefined, lost, problem: undefined };
  if (lost === count || disordered * 2 > pages.length) {
    throw table.problem ?? new DumpError('corrupt', 'the addresses of kallsyms do not ascend');
  }
  fill(values, isLost);
  const problem =
    table.problem ?? new DumpError('corrupt', 'some addresses of kallsyms do not ascend');
  return { values, isLost, lost, problem };
}

interface Form {
  readonly start: bigint;
  /** Bytes of an entry. */
  readonly width: number;
  valuesOf(table: SparseBytes): Float64Array;
}

function formOf({ count, offsets, relativeBase, addresses }: KallsymsTables): Form {
  if (offsets !== undefined && relativeBase !== undefined) {
    const base = Number(BigInt.asIntN(64, relativeBase));
    return { start: offsets, width: 4, valuesOf: (table) => fromOffsets(table, count, base) };
  }
  if (addresses !== undefined) {
    return { start: addresses, width: 8, valuesOf: (table) => fromAddresses(table, count) };
  }
  throw new DumpError('absent', 'VMCOREINFO names neither kallsyms_offsets nor kallsyms_addresses');
}

function viewOf({ bytes }: SparseBytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Sorted by address, so per-CPU symbols come first and the last ones tell the form: negative
 * offsets from the base and absolute per-CPU ones (SMP before v6.15), or plain offsets.
 */
function fromOffsets(table: SparseBytes, count: number, base: number): Float64Array {
  const view = viewOf(table);
  let last = count - 1;
  while (last > 0 && touchesHole(table.holes, last * 4, last * 4 + 4)) last--;
  const absolutePerCpu = view.getInt32(last * 4, true) < 0;
  const values = new Float64Array(count);
  for (let symbol = 0; symbol < count; symbol++) {
    const offset = view.getInt32(symbol * 4, true);
    if (!absolutePerCpu) values[symbol] = base + (offset >>> 0);
    else values[symbol] = offset >= 0 ? offset : base - 1 - offset;
  }
  return values;
}

function fromAddresses(table: SparseBytes, count: number): Float64Array {
  const view = viewOf(table);
  return Float64Array.from({ length: count }, (_, symbol) =>
    Number(view.getBigInt64(symbol * 8, true)),
  );
}

/** Entries that begin in one page of memory, in order of pages. */
function* pagesOf(start: bigint, count: number, width: number): Generator<[number, number]> {
  const phase = Number(start & BigInt(basePageSize - 1));
  for (let first = 0; first < count; ) {
    const page = Math.floor((phase + first * width) / basePageSize);
    const end = Math.ceil(((page + 1) * basePageSize - phase) / width);
    yield [first, Math.min(end, count)];
    first = end;
  }
}

/** Per-CPU symbols, small and positive, come before the image's, which are negative. */
export function isAscending(values: Float64Array, first: number, end: number): boolean {
  let before = values[first]!;
  for (let index = first + 1; index < end; index++) {
    const here = values[index]!;
    if (here < before && !(before >= 0 && here < 0)) return false;
    before = here;
  }
  return true;
}

/** So that a search by address still finds the neighbours. */
function fill(values: Float64Array, isLost: Uint8Array): void {
  let near = values[isLost.indexOf(0)]!;
  for (let index = 0; index < values.length; index++) {
    if (isLost[index] === 1) values[index] = near;
    else near = values[index]!;
  }
}
