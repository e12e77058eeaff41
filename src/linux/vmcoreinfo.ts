/**
 * VMCOREINFO: the text that a kernel leaves for whoever reads its memory. `KEY=value` lines, among
 * them SYMBOL(x)= run-time address in hex, SIZE(t)=, OFFSET(t.m)=, LENGTH(x)=, NUMBER(x)= decimal.
 * Source: Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */

import { cstring, latin1 } from '../bytes/text.ts';
import type { MemoryImage } from '../dump/types.ts';

export class Vmcoreinfo {
  /** The whole text, as it was found. */
  readonly source: string;
  readonly #values = new Map<string, string>();

  constructor(source: string) {
    this.source = source;
    for (const line of source.split('\n')) {
      const equals = line.indexOf('=');
      // The first one wins: crash_save_vmcoreinfo() appends, it never replaces.
      if (equals > 0 && !this.#values.has(line.slice(0, equals))) {
        this.#values.set(line.slice(0, equals), line.slice(equals + 1));
      }
    }
  }

  text(key: string): string | undefined {
    return this.#values.get(key);
  }

  symbol(name: string): bigint | undefined {
    return parseHex(this.text(`SYMBOL(${name})`));
  }

  size(type: string): number | undefined {
    return parseDecimal(this.text(`SIZE(${type})`));
  }

  offset(member: string): number | undefined {
    return parseDecimal(this.text(`OFFSET(${member})`));
  }

  length(name: string): number | undefined {
    return parseDecimal(this.text(`LENGTH(${name})`));
  }

  number(name: string): number | undefined {
    return parseDecimal(this.text(`NUMBER(${name})`));
  }

  get release(): string | undefined {
    return this.text('OSRELEASE');
  }

  /** Physical minus virtual address of the kernel's image, relative to its link address; signed. */
  get physBase(): bigint | undefined {
    const value = this.number('phys_base');
    return value === undefined ? undefined : BigInt(value);
  }

  /** How far KASLR moved the kernel's text. */
  get kernelOffset(): bigint | undefined {
    return parseHex(this.text('KERNELOFFSET'));
  }
}

/**
 * Where struct uts_namespace may have its name when VMCOREINFO does not say it: behind a reference
 * count until v5.11 (9a56493f6942 "uts: Use generic ns_common::count"), then at the start.
 */
export const utsnameOffsets: readonly number[] = [0, 4];

function parseHex(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

function parseDecimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?\d{1,20}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The most text that is believed: the kernel gives its note one page. */
const maxTextBytes = 4096;
const noteName = 'VMCOREINFO\0';

/**
 * The copy of VMCOREINFO that begins on this page. The kernel keeps two: the text
 * (vmcoreinfo_data) and the finished ELF note (vmcoreinfo_note). Stale copies exist too (a capture
 * kernel's, an earlier boot's): the caller must verify each.
 */
export function textOnPage(
  image: MemoryImage,
  pfn: number,
  bytes: Uint8Array,
): Vmcoreinfo | undefined {
  const text = textOfData(bytes) ?? textOfNote(image, pfn, bytes);
  return text === undefined ? undefined : new Vmcoreinfo(text);
}

function textOfData(page: Uint8Array): string | undefined {
  // 'O' first: nearly every page of a dump fails here.
  if (page[0] !== 0x4f || latin1(page.subarray(0, 10)) !== 'OSRELEASE=') return undefined;
  return cstring(page.subarray(0, maxTextBytes));
}

function textOfNote(image: MemoryImage, pfn: number, page: Uint8Array): string | undefined {
  if (page[0] !== noteName.length || latin1(page.subarray(12, 23)) !== noteName) return undefined;
  const size = new DataView(page.buffer, page.byteOffset).getUint32(4, true);
  if (size === 0 || size > maxTextBytes) return undefined;
  const start = 24;
  const both = new Uint8Array(page.length * 2);
  both.set(page);
  const next = image.readPage(pfn + 1).bytes;
  if (next !== undefined) both.set(next, page.length);
  return cstring(both.subarray(start, start + size));
}
