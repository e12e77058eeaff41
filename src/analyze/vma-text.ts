/** One mapping of a process in crash's columns: `VMA START END FLAGS FILE`. */

import { hex16, jsonAddress, printable } from '../bytes/text.ts';
import { filePath } from '../linux/files.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject } from '../linux/objects.ts';
import { hex } from './columns.ts';
import type { Json } from './command.ts';
import type { Gaps } from './gaps.ts';

export interface VmaRow {
  readonly address: bigint;
  readonly start: bigint;
  readonly end: bigint;
  readonly flags: bigint;
  /** Of the file that is mapped: where in it the mapping begins, in bytes. */
  readonly offset: bigint;
  /** null: memory of no file; undefined: the path is not in the dump. */
  readonly path: string | null | undefined;
}

export const vmaTitle = '      VMA           START       END     FLAGS FILE';

export function vmaRow(kernel: Kernel, vma: KernelObject, gaps: Gaps): VmaRow {
  const { vm_file: file } = vma;
  return {
    address: addressOf(vma),
    start: vma.vm_start,
    end: vma.vm_end,
    flags: vma.vm_flags,
    offset: file === null ? 0n : vma.vm_pgoff * 4096n,
    path: file === null ? null : gaps.attempt('paths', () => filePath(kernel, file)),
  };
}

export function vmaLine({ address, start, end, flags, path }: VmaRow): string {
  const file = path === null ? '' : path === undefined ? '?' : printable(path);
  const bounds = `${hex(start).padStart(10)} ${hex(end).padStart(10)}`;
  return `${hex16(address)} ${bounds} ${hex(flags).padStart(6)} ${file}`;
}

export function vmaJson(row: VmaRow): { readonly [key: string]: Json } {
  return {
    vma: jsonAddress(row.address),
    start: jsonAddress(row.start),
    end: jsonAddress(row.end),
    flags: jsonAddress(row.flags),
    offset: row.path === null ? null : String(row.offset),
    path: row.path ?? null,
  };
}
