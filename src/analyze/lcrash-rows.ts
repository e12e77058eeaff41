/**
 * What stands in a line of lcrash's tables of kernel structures. Titles are those of lcrash where
 * its documents show them (tasks, modules); members that it showed and that are gone are left out.
 */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import { filePath } from '../linux/files.ts';
import type { Kernel } from '../linux/kernel.ts';
import { moduleAddress } from '../linux/modules.ts';
import {
  addressOf,
  follow,
  hasMember,
  type KernelObject,
  memberAddress,
} from '../linux/objects.ts';
import { type PageFrame, PageFrames } from '../linux/page-frame.ts';
import { parentOf, taskCpu, taskState } from '../linux/tasks.ts';
import type { Json } from './command.ts';
import type { Gaps } from './gaps.ts';
import { moduleUses } from './module-uses.ts';

/** Of one structure, by the keys of its columns; null is not in the dump. */
export type Row = Readonly<Record<string, Json>>;

export interface Column {
  readonly key: string;
  readonly title: string;
  /** Negative: to the left. */
  readonly width: number;
  /** Of a number in the text; 10 where it is not said. */
  readonly base?: 16;
}

export interface RowKind {
  /** `struct task_struct`. */
  readonly type: string;
  readonly columns: readonly Column[];
  /** How to read each cell of one structure. */
  cellsIn(kernel: Kernel): (view: KernelObject) => Readonly<Record<string, () => Json>>;
}

const addressWidth = 18;
export const addressColumn: Column = { key: 'address', title: 'ADDR', width: addressWidth };

export const taskRows: RowKind = {
  type: 'struct task_struct',
  columns: [
    addressColumn,
    { key: 'uid', title: 'UID', width: 6 },
    { key: 'pid', title: 'PID', width: 7 },
    { key: 'ppid', title: 'PPID', width: 7 },
    { key: 'state', title: 'STATE', width: 5 },
    { key: 'flags', title: 'FLAGS', width: 10 },
    { key: 'cpu', title: 'CPU', width: 4 },
    { key: 'comm', title: 'NAME', width: -16 },
  ],
  cellsIn: () => (task) => ({
    uid: () => follow(task, 'cred').uid.val,
    pid: () => task.pid,
    ppid: () => parentOf(task).pid,
    state: () => taskState(task),
    flags: () => hexWord(task.flags),
    cpu: () => taskCpu(task),
    comm: () => task.comm,
  }),
};

export const mmRows: RowKind = {
  type: 'struct mm_struct',
  columns: [
    addressColumn,
    { key: 'users', title: 'MM_USERS', width: 8 },
    { key: 'count', title: 'MM_COUNT', width: 8 },
    { key: 'mappings', title: 'MAP_COUNT', width: 9 },
    { key: 'pgd', title: 'PGD', width: addressWidth },
  ],
  cellsIn: (kernel) => (mm) => ({
    users: () => mm.mm_users.counter,
    count: () => mm.mm_count.counter,
    mappings: () => mm.map_count,
    pgd: () => pointer(kernel, mm, 'pgd'),
  }),
};

export const vmaRows: RowKind = {
  type: 'struct vm_area_struct',
  columns: [
    addressColumn,
    { key: 'start', title: 'VM_START', width: addressWidth },
    { key: 'end', title: 'VM_END', width: addressWidth },
    { key: 'flags', title: 'VM_FLAGS', width: 10 },
    { key: 'offset', title: 'VM_PGOFF', width: 10 },
    { key: 'path', title: 'VM_FILE', width: -8 },
  ],
  cellsIn: (kernel) => (vma) => ({
    start: () => jsonAddress(vma.vm_start),
    end: () => jsonAddress(vma.vm_end),
    flags: () => hexWord(vma.vm_flags),
    offset: () => hexWord(vma.vm_pgoff),
    path: () => (vma.vm_file === null ? '' : filePath(kernel, vma.vm_file)),
  }),
};

export const pageRows: RowKind = {
  type: 'struct page',
  columns: [
    addressColumn,
    { key: 'pfn', title: 'PFN', width: 9, base: 16 },
    { key: 'count', title: 'COUNT', width: 6 },
    { key: 'mapping', title: 'MAPPING', width: addressWidth },
    { key: 'index', title: 'INDEX', width: 18 },
    { key: 'flags', title: 'FLAGS', width: addressWidth },
    { key: 'names', title: '', width: -1 },
  ],
  cellsIn(kernel) {
    const frames = new PageFrames(kernel);
    return (page) => {
      const found = frames.pfnOf(addressOf(page));
      const pfn = found === undefined || found >= kernel.dump.endPfn ? undefined : found;
      const frame = (): PageFrame => {
        if (pfn !== undefined) return frames.frame(pfn);
        throw new DumpError('usage', `${jsonAddress(addressOf(page))} is no struct page`, {
          hint: '`ptob PFN` and `page PFN` take page frame numbers',
        });
      };
      return {
        pfn: () => pfn ?? null,
        count: () => frame().count,
        mapping: () => jsonAddress(frame().mapping),
        index: () => hexWord(frame().index),
        flags: () => jsonAddress(frame().flags),
        names: () => [...frame().names],
      };
    };
  },
};

export const moduleRows: RowKind = {
  type: 'struct module',
  columns: [
    addressColumn,
    { key: 'size', title: 'SIZE', width: 9 },
    { key: 'used', title: 'USED', width: 5 },
    { key: 'name', title: 'NAME', width: -24 },
    { key: 'usedBy', title: 'REFS', width: -1 },
  ],
  cellsIn: (kernel) => (module) => {
    const loaded = kernel.modules.modules.find((one) => moduleAddress(one) === addressOf(module));
    return {
      size: () => loaded?.size ?? null,
      used: () => referenceCount(module),
      name: () => module.name,
      usedBy: () => [...moduleUses(kernel, module).usedBy],
    };
  },
};

/** Structures that `walk` shows one to a line, by their types. */
export const rowKinds = [taskRows, mmRows, vmaRows, pageRows, moduleRows];

/** Of any other structure only where it is. */
export function plainRows(type: string): RowKind {
  return { type, columns: [addressColumn], cellsIn: () => () => ({}) };
}

/** Reads lines of a table; cells that the dump lacks are null, and counted in `gaps`. */
export function rowReader(kernel: Kernel, kind: RowKind, gaps: Gaps): (view: KernelObject) => Row {
  const cellsOf = kind.cellsIn(kernel);
  return (view) => {
    const row: Record<string, Json> = { address: jsonAddress(addressOf(view)) };
    for (const [key, read] of Object.entries(cellsOf(view))) {
      row[key] = gaps.attempt(`members of ${kind.type}s`, read) ?? null;
    }
    return row;
  };
}

/** MODULE_REF_BASE: the kernel itself holds one. Null without CONFIG_MODULE_UNLOAD. */
function referenceCount(module: KernelObject): number | null {
  return hasMember(module, 'refcnt') ? module.refcnt.counter - 1 : null;
}

function hexWord(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

function pointer(kernel: Kernel, view: KernelObject, member: string): string {
  return jsonAddress(kernel.memory.u64(memberAddress(view, member)));
}
