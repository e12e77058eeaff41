/**
 * Where memory damage may strike: regions of a machine's memory, each a list of pieces with their
 * physical and virtual addresses. They are found in the undamaged kernel of the input, so that what
 * was set up or struck before changes no draw; what the method itself consists of, it says.
 * Source: arch/x86/kernel/vmlinux.lds.S (sections), include/linux/page-flags.h (PG_slab),
 * Documentation/arch/x86/x86_64/mm.rst.
 */

import { attempt } from '../../bytes/errors.ts';
import { lowerBound } from '../../bytes/ranges.ts';
import type { CaptureTargets } from '../../capture/method.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { isSlab, type PageLayout, pageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { pageTablePages } from './page-tables.ts';

/** The regions, and what each is. */
export const regions = {
  'kernel-data': "variables of the kernel's image: .data, .bss and the CPUs' own copies",
  'kernel-text': "code of the kernel's image",
  slab: 'objects of the slab allocator: tasks, inodes, requests',
  'module-data': 'writable memory of loaded modules',
  'module-text': 'code of loaded modules',
  'page-structs': 'struct page of every page frame',
  'page-tables': 'page tables of the kernel and of every process',
  reserved: "the method's own reserved region, loaded or free",
  segments: "what is loaded in the reserved region: kexec's segments but purgatory, a mini kernel",
  kexec: 'what the method keeps in ordinary memory: kimage and transition tables, or a pointer',
  'dump-code': "the method's own code: purgatory and control page, or resident part",
  any: 'all RAM',
} as const;

export type RegionName = keyof typeof regions;

export const regionNames = Object.keys(regions) as readonly RegionName[];

/** Memory in one piece, both physically and virtually. */
export interface Piece {
  readonly physical: number;
  readonly virtual: bigint;
  readonly bytes: number;
}

export interface Place {
  readonly physical: number;
  readonly virtual: bigint;
}

export class Region {
  readonly pieces: readonly Piece[];
  /** Bytes of all pieces. */
  readonly bytes: number;
  /** Bytes up to the end of each piece. */
  readonly #ends: Float64Array;

  constructor(pieces: readonly Piece[]) {
    this.pieces = pieces;
    this.#ends = new Float64Array(pieces.length);
    let bytes = 0;
    for (const [index, piece] of pieces.entries()) {
      bytes += piece.bytes;
      this.#ends[index] = bytes;
    }
    this.bytes = bytes;
  }

  /** Where its byte number `offset` lies. */
  place(offset: number): Place {
    const index = lowerBound(this.#ends, offset + 1);
    const { physical, virtual, bytes } = this.pieces[index]!;
    const inPiece = offset - (this.#ends[index]! - bytes);
    return { physical: physical + inPiece, virtual: virtual + BigInt(inPiece) };
  }
}

/** A campaign strikes the same image thousands of times. */
const known = new WeakMap<Kernel, Map<RegionName, Region>>();

/** A region of the machine; one without a byte where it has none of the kind. Throws DumpErrors. */
export function regionOf(machine: Machine, targets: CaptureTargets, name: RegionName): Region {
  const own = ofMethod(machine, targets, name);
  if (own !== undefined) return new Region(directlyMapped(machine.kernel, own));
  let found = known.get(machine.kernel);
  if (found === undefined) {
    found = new Map();
    known.set(machine.kernel, found);
  }
  let region = found.get(name);
  if (region === undefined) {
    region = new Region(joined(piecesOf(machine, name)));
    found.set(name, region);
  }
  return region;
}

function ofMethod(
  machine: Machine,
  targets: CaptureTargets,
  name: RegionName,
): readonly PhysicalRange[] | undefined {
  switch (name) {
    case 'reserved':
      return targets.reserved;
    case 'segments':
      return loaded.get(targets) ?? loadedIn(machine, targets);
    case 'kexec':
      return targets.structures;
    case 'dump-code':
      return targets.code;
    default:
      return undefined;
  }
}

/** What is loaded, as it was before anything was struck. */
const loaded = new WeakMap<CaptureTargets, readonly PhysicalRange[]>();

/** Before the first strike: what one fault destroys must not move where another one aims. */
export function findLoaded(machine: Machine, targets: CaptureTargets): void {
  loaded.set(targets, loadedIn(machine, targets));
}

/** KEXEC_SEGMENT_MAX, include/linux/kexec.h. */
const maxSegments = 16;

/**
 * What purgatory compares with its digests; it does not digest itself. The image that is loaded may
 * be another method's: then it lies outside of the region.
 */
function loadedIn(machine: Machine, { reserved, code }: CaptureTargets): PhysicalRange[] {
  const isInside = ({ start, end }: PhysicalRange): boolean =>
    end > start && reserved.some((region) => start >= region.start && end <= region.end);
  const isCode = ({ start, end }: PhysicalRange): boolean =>
    code.some((range) => range.start < end && range.end > start);
  const segments = attempt(() => {
    const pointer = machine.kernel.symbol('kexec_crash_image').address;
    const image = machine.object('struct kimage', machine.virtual.u64(pointer));
    const count = Math.min(Number(image.nr_segments), maxSegments);
    return Array.from({ length: count }, (_, index): PhysicalRange => {
      const { mem, memsz } = image.segment[index];
      return { start: Number(mem), end: Number(mem) + Number(memsz) };
    });
  });
  const loaded = (segments ?? []).filter((range) => isInside(range) && !isCode(range));
  return loaded.length > 0 ? loaded : code.filter(isInside);
}

function piecesOf({ kernel, ram }: Machine, name: RegionName): Iterable<Piece> {
  switch (name) {
    case 'kernel-data':
      return kernelData(kernel);
    case 'kernel-text':
      return mapped(kernel, '_stext', '_etext');
    case 'slab':
      return directlyMapped(kernel, slabRanges(kernel, pageLayout(kernel), ram));
    case 'module-data':
      return modulePieces(kernel, 'data');
    case 'module-text':
      return modulePieces(kernel, 'text');
    case 'page-structs':
      return pageStructs(kernel, pageLayout(kernel), ram);
    case 'page-tables':
      return directlyMapped(kernel, pageTableRanges(kernel, ram));
    default:
      return directlyMapped(kernel, ram);
  }
}

function directlyMapped(kernel: Kernel, ranges: readonly PhysicalRange[]): Piece[] {
  return ranges.map(({ start, end }) => ({
    physical: start,
    virtual: kernel.toVirtual(BigInt(start)),
    bytes: end - start,
  }));
}

function kernelData(kernel: Kernel): Piece[] {
  const size = perCpuSize(kernel);
  const start = kernel.symbol('__per_cpu_start').address;
  const copies = kernel.cpus.flatMap((cpu) => {
    const copy = BigInt.asUintN(64, start + kernel.perCpuOffset(cpu));
    return mappedRange(kernel, copy, copy + size);
  });
  return [
    ...mapped(kernel, '_sdata', '_edata'),
    ...mapped(kernel, '__bss_start', '__bss_stop'),
    ...copies,
  ];
}

function perCpuSize(kernel: Kernel): bigint {
  return kernel.symbol('__per_cpu_end').address - kernel.symbol('__per_cpu_start').address;
}

/** Between two symbols of the linker's. */
function mapped(kernel: Kernel, first: string, end: string): Piece[] {
  return mappedRange(kernel, kernel.symbol(first).address, kernel.symbol(end).address);
}

/** What is mapped and not in the input is a hole, and none of the region. */
function mappedRange(kernel: Kernel, start: bigint, end: bigint): Piece[] {
  const pieces: Piece[] = [];
  for (let at = start; at < end; ) {
    const size = attempt(() => kernel.memory.translate(at));
    const page = BigInt(basePageSize);
    const next = (at / page + 1n) * page;
    const bytes = Number((next < end ? next : end) - at);
    if (size !== undefined) pieces.push({ physical: Number(size.physical), virtual: at, bytes });
    at += BigInt(bytes);
  }
  return pieces;
}

/** _PAGE_NX of the entry that maps a page. */
const noExecute = 1n << 63n;

/** By what the page tables allow: a module's layout has other members in every other release. */
function* modulePieces(kernel: Kernel, kind: 'text' | 'data'): Generator<Piece> {
  for (const { ranges } of kernel.modules.modules) {
    for (const { start, end } of ranges) {
      for (const piece of mappedRange(kernel, start, end)) {
        const { entry, writable } = kernel.memory.translate(piece.virtual);
        const isText = (entry & noExecute) === 0n;
        if (kind === 'text' ? isText : writable && !isText) yield piece;
      }
    }
  }
}

function* pageStructs(
  kernel: Kernel,
  layout: PageLayout,
  ram: readonly PhysicalRange[],
): Generator<Piece> {
  for (const range of ram) {
    const first = BigInt(Math.ceil(range.start / basePageSize));
    const end = BigInt(Math.floor(range.end / basePageSize));
    const size = BigInt(layout.size);
    yield* mappedRange(kernel, layout.vmemmap + first * size, layout.vmemmap + end * size);
  }
}

function pageTableRanges(kernel: Kernel, ram: readonly PhysicalRange[]): PhysicalRange[] {
  const pages = [...pageTablePages(kernel, ram)].sort((a, b) => a - b);
  return pages.map((start) => ({ start, end: start + basePageSize }));
}

/** The page frames whose struct page, or whose compound page's first one, says PG_slab. */
function slabRanges(
  kernel: Kernel,
  layout: PageLayout,
  ram: readonly PhysicalRange[],
): PhysicalRange[] {
  const slabs = new Set<number>();
  const ranges: PhysicalRange[] = [];
  const perRead = Math.floor(basePageSize / layout.size);
  for (const range of ram) {
    const end = Math.floor(range.end / basePageSize);
    for (let first = Math.ceil(range.start / basePageSize); first < end; first += perRead) {
      const count = Math.min(perRead, end - first);
      const address = layout.vmemmap + BigInt(first) * BigInt(layout.size);
      const view = attempt(() => kernel.memory.view(address, count * layout.size));
      for (let index = 0; view !== undefined && index < count; index++) {
        const pfn = first + index;
        if (!slabPage(view, index * layout.size, pfn, layout, slabs)) continue;
        slabs.add(pfn);
        ranges.push({ start: pfn * basePageSize, end: (pfn + 1) * basePageSize });
      }
    }
  }
  return ranges;
}

function slabPage(
  view: DataView,
  at: number,
  pfn: number,
  layout: PageLayout,
  heads: ReadonlySet<number>,
): boolean {
  const { offsets, vmemmap, size } = layout;
  const compound = view.getBigUint64(at + offsets.compoundHead, true);
  if ((compound & 1n) !== 0n) {
    const head = Number((compound - 1n - vmemmap) / BigInt(size));
    return head < pfn && heads.has(head);
  }
  const flags = view.getUint32(at + offsets.flags, true);
  return isSlab(layout, flags, view.getInt32(at + offsets.mapcount, true));
}

/** Neighbours both physically and virtually as one piece. */
function joined(pieces: Iterable<Piece>): Piece[] {
  const result: Piece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    const follows =
      last !== undefined &&
      last.physical + last.bytes === piece.physical &&
      last.virtual + BigInt(last.bytes) === piece.virtual;
    if (follows) result[result.length - 1] = { ...last, bytes: last.bytes + piece.bytes };
    else result.push(piece);
  }
  return result;
}
