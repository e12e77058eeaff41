/**
 * Finds a way into a kernel's memory where the file has no VMCOREINFO: a copy in memory, or the
 * page tables by their structure, kallsyms by its looks, and from there what VMCOREINFO would say.
 *
 * Every top page table of Linux on x86-64 maps the kernel's image by its last entry, and all of
 * them share the tables below: the first of them that leads to a symbol table which knows its own
 * image is enough, and the symbols say where the kernel's own top table is.
 * Source: arch/x86/kernel/head_64.S (init_top_pgt, level4_kernel_pgt, level3_kernel_pgt).
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import { NewUtsname } from '../dump/utsname.ts';
import type { Kallsyms } from './kallsyms.ts';
import { scanKallsyms } from './kallsyms-scan.ts';
import { kernelMap, linkAddress } from './kernel-image.ts';
import { AddressSpace } from './memory.ts';
import { addressMask, type PageTableRoot, pageLarge, pagePresent } from './paging.ts';
import type { PhysicalMemory } from './physical.ts';
import { textOnPage, utsnameOffsets, Vmcoreinfo } from './vmcoreinfo.ts';

export interface Recovered {
  readonly vmcoreinfo: Vmcoreinfo;
  /** `memory`: the kernel's own text; `rebuilt`: only what the memory itself gave away. */
  readonly origin: 'memory' | 'rebuilt';
  /** Where finding it took them. */
  readonly kallsyms?: Kallsyms;
}

/** The top page table's names: today's, of before v4.13 (65ade2f872b4), of other builds. */
const topTables = ['init_top_pgt', 'init_level4_pgt', 'swapper_pg_dir'];
/** Images that are searched for kallsyms; a guest's and a crash kernel's are two. */
const maxImages = 16;
const lastEntry = 511n * 8n;
/** Of the image's table: the first 1 GB of the top 2 GB. */
const imageEntry = 510n * 8n;
/** The kernel gives its text one page. */
const maxTextBytes = 4096;

/**
 * Reads memory from the start until something proves itself, most often a small part of it.
 * `isOfThisKernel` tells the text of this boot from one that an earlier boot left.
 */
export function recover(
  dump: Dump,
  physical: PhysicalMemory,
  isOfThisKernel: (candidate: Vmcoreinfo) => boolean,
): Recovered | undefined {
  const tried = new Set<bigint>();
  const byTable = (root: bigint): Recovered | undefined => {
    const image = attempt(() => imageTable(physical, root));
    if (image === undefined || tried.has(image.table) || tried.size >= maxImages) return undefined;
    tried.add(image.table);
    return attempt(() => byImage(physical, image.root, isOfThisKernel));
  };
  for (const { control } of dump.cpus) {
    const found = control === undefined ? undefined : byTable(control.cr3 & addressMask);
    if (found !== undefined) return found;
  }
  for (const run of dump.runs()) {
    if (run.state !== 'stored') continue;
    for (let pfn = run.first; pfn < run.end; pfn++) {
      const bytes = dump.readPage(pfn).bytes;
      if (bytes === undefined) continue;
      const text = textOnPage(dump, pfn, bytes);
      if (text !== undefined && isOfThisKernel(text)) return { vmcoreinfo: text, origin: 'memory' };
      const found = mayBeTable(bytes) ? byTable(BigInt(pfn) * BigInt(dump.pageSize)) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** A quick look: the last entry is a present one that points to a table. */
function mayBeTable(page: Uint8Array): boolean {
  const last = page.length - 8;
  return (page[last]! & 0x81) === 0x01 && page[last + 6] === 0;
}

/** The table that maps the kernel's image, reached from a top table by its last entries. */
function imageTable(
  physical: PhysicalMemory,
  top: bigint,
): { table: bigint; root: PageTableRoot } | undefined {
  let table = top;
  for (const levels of [4, 5] as const) {
    const next = target(physical, table + lastEntry);
    if (next === undefined) return undefined;
    const image = target(physical, next + imageEntry);
    if (image !== undefined && mapsAnything(physical, image)) {
      return { table: image, root: { physical: top, levels, encryptionMask: 0n } };
    }
    table = next;
  }
  return undefined;
}

function target(physical: PhysicalMemory, entryAddress: bigint): bigint | undefined {
  const entry = physical.u64(entryAddress);
  const isTable = (entry & pagePresent) !== 0n && (entry & pageLarge) === 0n;
  return isTable ? entry & addressMask : undefined;
}

/** Several large pages side by side, as the image's: any other bytes fail. */
function mapsAnything(physical: PhysicalMemory, table: bigint): boolean {
  let inRow = 0;
  let before = 0n;
  for (let index = 0n; index < 512n; index++) {
    const entry = physical.u64(table + index * 8n);
    const isLarge = (entry & 0x81n) === 0x81n;
    const frame = entry & addressMask & ~0x1f_ffffn;
    inRow = isLarge && frame === before + 0x20_0000n ? inRow + 1 : 0;
    if (inRow >= 2) return true;
    before = frame;
  }
  return false;
}

/** Throws DumpErrors where the symbols do not lead on. */
function byImage(
  physical: PhysicalMemory,
  found: PageTableRoot,
  isOfThisKernel: (candidate: Vmcoreinfo) => boolean,
): Recovered | undefined {
  const image = new AddressSpace(physical, found);
  const kallsyms = scanKallsyms(image);
  if (kallsyms === undefined) return undefined;
  const symbol = (name: string): bigint | undefined => {
    const [index] = kallsyms.find(name);
    return index === undefined ? undefined : kallsyms.address(index);
  };
  const told = attempt(() => toldByKernel(image, symbol, found));
  if (told !== undefined && isOfThisKernel(told)) {
    return { vmcoreinfo: told, origin: 'memory', kallsyms };
  }
  return { vmcoreinfo: rebuilt(image, symbol), origin: 'rebuilt', kallsyms };
}

type Symbols = (name: string) => bigint | undefined;

/** vmcoreinfo_data points to the text, in the direct map: read through the kernel's own tables. */
function toldByKernel(
  image: AddressSpace,
  symbol: Symbols,
  found: PageTableRoot,
): Vmcoreinfo | undefined {
  const variable = symbol('vmcoreinfo_data');
  if (variable === undefined) return undefined;
  const { physical } = topTable(image, symbol);
  const levels = fiveLevels(image, symbol) ? 5 : 4;
  const kernel = new AddressSpace(image.physical, { ...found, physical, levels });
  const text = kernel.cstring(kernel.u64(variable), maxTextBytes);
  return text.startsWith('OSRELEASE=') ? new Vmcoreinfo(text) : undefined;
}

/** The lines that this project needs of VMCOREINFO, with what the memory itself says. */
function rebuilt(image: AddressSpace, symbol: Symbols): Vmcoreinfo {
  const { virtual, physical } = topTable(image, symbol);
  const release = attempt(() => releaseByBanner(image, symbol)) ?? releaseByName(image, symbol);
  const uts = symbol('init_uts_ns');
  const text = symbol('_text');
  const lines = [
    ...(release === undefined ? [] : [`OSRELEASE=${release}`]),
    ...(uts === undefined ? [] : [`SYMBOL(init_uts_ns)=${uts.toString(16)}`]),
    `SYMBOL(init_top_pgt)=${virtual.toString(16)}`,
    `NUMBER(phys_base)=${physical - (virtual - kernelMap)}`,
    `NUMBER(pgtable_l5_enabled)=${fiveLevels(image, symbol) ? 1 : 0}`,
    ...(text === undefined ? [] : [`KERNELOFFSET=${(text - linkAddress).toString(16)}`]),
  ];
  return new Vmcoreinfo(`${lines.join('\n')}\n`);
}

function releaseByBanner(image: AddressSpace, symbol: Symbols): string | undefined {
  const address = symbol('linux_banner');
  if (address === undefined) return undefined;
  return /^Linux version (\S+)/.exec(cstring(image.read(address, 256)))?.[1];
}

function releaseByName(image: AddressSpace, symbol: Symbols): string | undefined {
  const address = symbol('init_uts_ns');
  if (address === undefined) return undefined;
  const names = utsnameOffsets.map((at) =>
    attempt(() => NewUtsname.read(image.read(address + BigInt(at), NewUtsname.size))),
  );
  return names.find((name) => name?.sysname === 'Linux')?.release;
}

function topTable(image: AddressSpace, symbol: Symbols): { virtual: bigint; physical: bigint } {
  for (const name of topTables) {
    const virtual = symbol(name);
    if (virtual !== undefined) return { virtual, physical: image.translate(virtual).physical };
  }
  throw new DumpError('absent', "kallsyms does not say where the kernel's page tables are");
}

/** Since v4.17 (b1faea7b5ad8): the variable is there where the kernel may use five levels. */
function fiveLevels(image: AddressSpace, symbol: Symbols): boolean {
  const variable = symbol('__pgtable_l5_enabled');
  return variable !== undefined && image.u32(variable) === 1;
}
