/**
 * A crash kernel of our own, written into a reserved region with everything that `kexec -p` leaves
 * behind: segments, struct kimage, control pages with the identity map, transition page tables in
 * ordinary memory, the safe copy of VMCOREINFO.
 * Source: kernel/{kexec_core,kexec_file,crash_core}.c, arch/x86/kernel/machine_kexec_64.c.
 */

import { assert, DumpError } from '../bytes/errors.ts';
import { encodeUtf8 } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { PageLayout } from '../linux/page-layout.ts';
import { basePageSize, type PageTableRoot } from '../linux/paging.ts';
import {
  elfcoreBytes,
  parameterBytes,
  purgatoryBytes,
  purgatoryEntry,
  purgatoryTable,
  stubProgram,
} from './crash-content.ts';
import { u64Bytes } from './edit.ts';
import { pageAddress } from './free-blocks.ts';
import { mapIntoKernel, protectRegion } from './kernel-mapping.ts';
import type { Machine } from './machine.ts';
import { setEmptyList, setMember } from './members.ts';
import { largePage, PageTables, smallPage } from './page-tables.ts';
import { type DigestTable, digestSize, type Segment } from './purgatory.ts';
import type { PhysicalRange } from './ram.ts';
import { takePages } from './region.ts';
import { RegionPages } from './region-pages.ts';

export interface PlacedImage {
  readonly region: PhysicalRange;
  readonly image: bigint;
  readonly segments: readonly Segment[];
  readonly elfcore: PhysicalRange;
  readonly digest: DigestTable;
}

const programSize = 16 * 1024;
/** IND_DONE, include/linux/kexec.h: all that the entry list of a crash image holds. */
const entryDone = 4n;
/** KEXEC_TYPE_CRASH. */
const crashType = 1n;
/**
 * The top page table for the jump, where it has a page of its own: since v6.14 and in later stable
 * releases (4b5bc2ec9a23 "x86/kexec: Allocate PGD for x86_64 transition page tables separately").
 */
const topTableMember = 'arch.pgd';
/** The tables between the top one and a page, by their member in struct kimage's arch part. */
export const transitionMembers = ['p4d', 'pud', 'pmd', 'pte'] as const;

/** What an image that was loaded before its region was lost still tells. Addresses are virtual. */
interface LoadedBefore {
  readonly image: bigint;
  readonly controlPage: bigint;
  /** 0 where the kernel has no such member. */
  readonly topTable: bigint;
  readonly vmcoreinfoCopy: bigint;
  readonly transition: readonly bigint[];
}

/** Places the image; `existing` is a kimage whose region was lost: its own pages are used again. */
export function placeCrashImage(
  machine: Machine,
  layout: PageLayout,
  region: PhysicalRange,
  existing: bigint | undefined,
): PlacedImage {
  const before = existing === undefined ? undefined : loadedBefore(machine, existing);
  const pages = new RegionPages(machine.memory, region);
  const control = takeControlPages(machine, layout, pages, before);
  const copy = placeVmcoreinfo(machine, layout, pages, before);
  const elfcore = pages.fill(elfcoreBytes(machine, region));
  const hashed = [
    elfcore,
    pages.fill(parameterBytes(elfcore)),
    pages.fill(stubProgram(programSize)),
  ];
  const purgatory = pages.fill(purgatoryBytes(machine, hashed));
  const segments = [...hashed, purgatory];
  const image = before?.image ?? newKimage(machine, layout);
  const transition = before?.transition ?? newTransition(machine, layout);
  writeKimage(machine, layout, { image, segments, control, copy, transition });
  mapForTheJump(machine, pages, control, transition);
  if (before === undefined) {
    announce(machine, region, image);
    const { code } = control;
    protectRegion(machine, layout, region, { start: code, end: code + basePageSize });
  }
  const what = `crash kernel placed: kimage 0x${image.toString(16)}, ${segments.length} segments`;
  machine.edits.push({ what, after: segments.map(rangeText).join(' ') });
  const regions = purgatory.start + purgatoryTable;
  return {
    region: { start: region.start, end: region.end },
    image,
    segments,
    elfcore: { start: elfcore.start, end: elfcore.start + elfcore.size },
    digest: { regions, digest: regions - digestSize, segment: segments.length - 1 },
  };
}

function rangeText({ start, size }: Segment): string {
  return `0x${start.toString(16)}-0x${(start + size - 1).toString(16)}`;
}

function loadedBefore(machine: Machine, image: bigint): LoadedBefore | undefined {
  const { types } = machine.kernel;
  const pointer = (path: string): bigint =>
    machine.virtual.u64(image + BigInt(types.offsetOf('struct kimage', path)));
  try {
    return {
      image,
      controlPage: pointer('control_code_page'),
      topTable: types.hasMember('struct kimage', topTableMember) ? pointer(topTableMember) : 0n,
      vmcoreinfoCopy: types.hasMember('struct kimage', 'vmcoreinfo_data_copy')
        ? pointer('vmcoreinfo_data_copy')
        : 0n,
      transition: transitionMembers
        .filter((member) => types.hasMember('struct kimage', `arch.${member}`))
        .map((member) => pointer(`arch.${member}`))
        .filter((address) => address !== 0n),
    };
  } catch (error) {
    // Filtered out or damaged: then a new one is made.
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

/** What relocate_kernel runs on and by. Physical. */
export interface ControlPages {
  readonly topTable: number;
  /** Where machine_kexec() puts its copy of relocate_kernel: the only writable page. */
  readonly code: number;
}

/** Where the control pages of an image lie: in two pages in a row, or each by its own pointer. */
export function controlPagesAt(
  kernel: Kernel,
  first: number,
  topTable: (member: string) => number,
): ControlPages {
  return kernel.types.hasMember('struct kimage', topTableMember)
    ? { topTable: topTable(topTableMember), code: first }
    : { topTable: first, code: first + basePageSize };
}

function takeControlPages(
  machine: Machine,
  layout: PageLayout,
  pages: RegionPages,
  before: LoadedBefore | undefined,
): ControlPages {
  const first =
    before === undefined
      ? pages.take(2 * basePageSize, 2 * basePageSize)
      : Number((before.controlPage - layout.vmemmap) / BigInt(layout.size)) * basePageSize;
  const control = controlPagesAt(machine.kernel, first, () =>
    before === undefined
      ? first + basePageSize
      : Number(machine.virtual.translate(before.topTable).physical),
  );
  if (before !== undefined) {
    pages.keep(control.topTable, basePageSize);
    pages.keep(control.code, basePageSize);
  }
  return control;
}

/** The copy of VMCOREINFO's text in the protected region, with the kernel's pointers to it. */
function placeVmcoreinfo(
  machine: Machine,
  layout: PageLayout,
  pages: RegionPages,
  before: LoadedBefore | undefined,
): bigint {
  const { symbols, vmcoreinfo } = machine.kernel;
  const text = encodeUtf8(vmcoreinfo.source.replace(/CRASHTIME=.*\n?/, '').replace(/\n*$/, '\n'));
  const known = before?.vmcoreinfoCopy ?? 0n;
  const physical =
    known === 0n ? pages.take(basePageSize) : Number(machine.virtual.translate(known).physical);
  if (known !== 0n) pages.keep(physical, basePageSize);
  machine.memory.write(BigInt(physical), text.subarray(0, basePageSize));
  // The kernel maps that page anew: in the direct map it becomes read-only.
  const copy = known === 0n ? mapIntoKernel(machine, layout, BigInt(physical)) : known;
  const safe = symbols.inKernel('vmcoreinfo_data_safecopy');
  if (safe !== undefined) machine.poke(safe.address, u64Bytes(copy));
  const size = symbols.inKernel('vmcoreinfo_size');
  if (size !== undefined) machine.poke(size.address, u64Bytes(BigInt(text.length)));
  return copy;
}

function newKimage(machine: Machine, layout: PageLayout): bigint {
  const [page] = takePages(machine, layout, 1, 'struct kimage');
  return machine.kernel.toVirtual(page!);
}

function newTransition(machine: Machine, layout: PageLayout): bigint[] {
  const levels = machine.kernel.memory.root.levels;
  return takePages(machine, layout, levels - 1, 'transition page tables').map((page) =>
    machine.kernel.toVirtual(page),
  );
}

interface Kimage {
  readonly image: bigint;
  readonly segments: readonly Segment[];
  readonly control: ControlPages;
  readonly copy: bigint;
  readonly transition: readonly bigint[];
}

function writeKimage(machine: Machine, layout: PageLayout, kimage: Kimage): void {
  const { image, segments, control, copy, transition } = kimage;
  const { types } = machine.kernel;
  const set = (path: string, value: bigint): void => {
    if (types.hasMember('struct kimage', path)) {
      setMember(machine, 'struct kimage', image, path, value);
    }
  };
  const head = image + BigInt(types.offsetOf('struct kimage', 'head'));
  set('head', entryDone);
  set('entry', head);
  set('last_entry', head);
  set('start', BigInt(segments.at(-1)!.start + purgatoryEntry));
  const { topTable, code } = control;
  const first = types.hasMember('struct kimage', topTableMember) ? code : topTable;
  set('control_code_page', pageAddress(layout, first / basePageSize));
  set(topTableMember, machine.kernel.toVirtual(BigInt(topTable)));
  set('vmcoreinfo_data_copy', copy);
  set('nr_segments', BigInt(segments.length));
  for (const [index, { start, size }] of segments.entries()) {
    set(`segment[${index}].bufsz`, BigInt(size));
    set(`segment[${index}].mem`, BigInt(start));
    set(`segment[${index}].memsz`, BigInt(size));
  }
  for (const list of ['control_pages', 'dest_pages', 'unusable_pages']) {
    setEmptyList(machine, 'struct kimage', image, list);
  }
  set('type', crashType);
  set('file_mode', 1n);
  set('elf_load_addr', BigInt(segments[0]!.start));
  // Four levels: there is no P4D table of its own.
  const members = transitionMembers.slice(transitionMembers.length - transition.length);
  for (const [index, member] of members.entries()) set(`arch.${member}`, transition[index]!);
}

/** init_pgtable(): all RAM and the region at their own addresses, relocate_kernel at its own. */
function mapForTheJump(
  machine: Machine,
  pages: RegionPages,
  control: ControlPages,
  transition: readonly bigint[],
): void {
  const { memory, kernel } = machine;
  const root: PageTableRoot = { ...kernel.memory.root, physical: BigInt(control.topTable) };
  const ownTables = transition.map((address) => machine.virtual.translate(address).physical);
  const forTransition = new PageTables(memory, root, () => {
    const table = ownTables.shift();
    assert(table !== undefined, 'a transition table for each level');
    return table;
  });
  const relocate = kernel.symbol('relocate_kernel').address & ~0xfffn;
  forTransition.map(relocate, BigInt(control.code), smallPage);
  const identity = new PageTables(memory, root, () => BigInt(pages.take(basePageSize)));
  for (const range of [...machine.ram, pages.region]) {
    const first = BigInt(range.start) & ~(largePage - 1n);
    for (let at = first; at < BigInt(range.end); at += largePage) identity.map(at, at, largePage);
  }
}

/** What points to a newly loaded image. */
function announce(machine: Machine, region: PhysicalRange, image: bigint): void {
  const { kernel } = machine;
  machine.edit({
    what: 'kexec_crash_image',
    address: kernel.symbol('kexec_crash_image').address,
    bytes: u64Bytes(image),
  });
  const resource = kernel.symbol('crashk_res').address;
  const member = (name: string): bigint =>
    resource + BigInt(kernel.types.offsetOf('struct resource', name));
  const start = u64Bytes(BigInt(region.start));
  const end = u64Bytes(BigInt(region.end - 1));
  machine.edit({ what: 'crashk_res.start', address: member('start'), bytes: start });
  machine.edit({ what: 'crashk_res.end', address: member('end'), bytes: end });
}
