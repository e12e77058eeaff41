/** Mappings and files of a process in memory that is damaged. */

import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Btf } from '../../src/linux/btf.ts';
import { filePath, openFiles, taskRoots } from '../../src/linux/files.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import {
  addressOf,
  type KernelObject,
  memberAddress,
  viewObject,
} from '../../src/linux/objects.ts';
import { TypeTable } from '../../src/linux/types.ts';
import { findVma, vmasOf } from '../../src/linux/vma.ts';
import { BtfWriter } from '../support/btf.ts';
import { openFixture } from '../support/fixture.ts';
import { addressSpaceWith } from '../support/memory.ts';
import { PatchedDump } from '../support/patched.ts';

const original = await openFixture();
const patched = new PatchedDump(original);
afterEach(() => patched.restore());
afterAll(() => original.close());

const whole = openKernel(original);
const init = [...whole.tasks()].find((task) => task.pid === 1)!;
const initMm = addressOf(init.mm);

/** The mm_struct and the task of init in the memory as it is patched now. */
function again(): { kernel: ReturnType<typeof openKernel>; mm: KernelObject; task: KernelObject } {
  const kernel = openKernel(patched.dump);
  return {
    kernel,
    mm: kernel.object('struct mm_struct', initMm),
    task: kernel.object('struct task_struct', addressOf(init)),
  };
}

/** The slots of a node of the tree that are in use. */
const rootAt = memberAddress(init.mm, 'mm_mt.ma_root');
const root = whole.memory.u64(rootAt);
const node = root & ~0xffn;

describe('mappings', () => {
  const { vmas } = vmasOf(whole, init.mm);

  test('of a sound process: as many as it counts, in order, none upon another', () => {
    expect(vmas).toHaveLength(init.mm.map_count);
    for (const [index, vma] of vmas.entries()) {
      expect(vma.vm_start < vma.vm_end).toBe(true);
      if (index > 0) expect(vmas[index - 1]!.vm_end <= vma.vm_start).toBe(true);
    }
  });

  test('the one that holds an address, to its last byte', () => {
    const walk = vmasOf(whole, init.mm);
    const [first] = walk.vmas;
    expect(addressOf(findVma(walk, first!.vm_end - 1n)!)).toBe(addressOf(first!));
    expect(findVma(walk, first!.vm_start - 1n)).toBeUndefined();
  });

  test('a node that leads to itself is said, and ends', () => {
    const slots = whole.types.offsetOf('struct maple_arange_64', 'slot');
    patched.writeU64(rootAt, node | (3n << 3n) | 6n);
    patched.writeU64(node + BigInt(slots), node | (3n << 3n) | 6n);
    const { kernel, mm } = again();
    const { problems } = vmasOf(kernel, mm);
    expect(problems.map(({ code }) => code)).toContain('corrupt');
  });

  test('a node of no known type is said', () => {
    patched.writeU64(rootAt, node | (9n << 3n) | 2n);
    const { kernel, mm } = again();
    expect(vmasOf(kernel, mm)).toMatchObject({ vmas: [], problems: [{ code: 'corrupt' }] });
  });

  test('a tree whose page is not in the dump: no mapping, and why', () => {
    patched.remove(node, 1);
    const { kernel, mm } = again();
    expect(vmasOf(kernel, mm).problems.map(({ code }) => code)).toContain('excluded');
  });

  test('one mapping that is damaged does not take the others with it', () => {
    patched.writeU64(memberAddress(vmas[2]!, 'vm_end'), 0n);
    const { kernel, mm } = again();
    const walk = vmasOf(kernel, mm);
    expect(walk.vmas).toHaveLength(vmas.length - 1);
    expect(walk.problems).toMatchObject([{ code: 'corrupt' }]);
  });

  test('a process without mappings has none', () => {
    patched.writeU64(rootAt, 0n);
    const { kernel, mm } = again();
    expect(vmasOf(kernel, mm)).toEqual({ vmas: [], problems: [] });
  });
});

describe('before v6.1: the list of an mm', () => {
  const base = 0xffff_8880_0010_0000n;
  /** Three mappings of 24 bytes each (start, end, next) behind an mm that points to the first. */
  function listOf(nexts: readonly [bigint, bigint, bigint]): ReturnType<typeof vmasOf> {
    const writer = new BtfWriter();
    const long = writer.int('unsigned long', 8, {});
    const toVma = writer.endId + 1;
    writer.struct('vm_area_struct', 24, [
      { name: 'vm_start', type: long, bitOffset: 0 },
      { name: 'vm_end', type: long, bitOffset: 64 },
      { name: 'vm_next', type: toVma, bitOffset: 128 },
    ]);
    writer.pointer(toVma - 1);
    writer.struct('mm_struct', 8, [{ name: 'mmap', type: toVma, bitOffset: 0 }]);
    const words = nexts.flatMap((next, index) => [
      BigInt(index + 1) * 0x1000n,
      BigInt(index + 2) * 0x1000n,
      next,
    ]);
    const bytes = new Uint8Array(BigUint64Array.from([base + 8n, ...words]).buffer);
    const types = new TypeTable(new Btf('vmlinux', writer.bytes()), () => []);
    const memory = addressSpaceWith(base, bytes);
    const kernel = {
      memory,
      types,
      object: (type: string, address: bigint) => viewObject({ memory, types }, type, address),
    };
    return vmasOf(kernel, kernel.object('struct mm_struct', base));
  }
  const [second, third] = [base + 32n, base + 56n];

  test('is walked to its end', () => {
    const { vmas, problems } = listOf([second, third, 0n]);
    expect(vmas.map(({ vm_start }) => vm_start)).toEqual([0x1000n, 0x2000n, 0x3000n]);
    expect(problems).toEqual([]);
  });

  test('in a circle: each mapping once, and it is said', () => {
    const { vmas, problems } = listOf([second, third, second]);
    expect(vmas).toHaveLength(3);
    expect(problems).toMatchObject([{ code: 'corrupt' }]);
  });

  test('that leads out of memory: what was before it is there', () => {
    const { vmas, problems } = listOf([second, 0xdead_0000_0000n, 0n]);
    expect(vmas).toHaveLength(2);
    expect(problems).toMatchObject([{ code: 'absent' }]);
  });
});

describe('files', () => {
  const table = init.files.fdt as KernelObject;
  const [first] = openFiles(whole, init)!.files;
  const dentry = first!.file.f_path.dentry as KernelObject;

  test('a path goes over mounts', () => {
    expect(filePath(whole, first!.file)).toBe('/dev/null');
    expect(taskRoots(whole, init)).toEqual({ root: '/', cwd: '/' });
  });

  test('dentries in a circle: an error, no endless path', () => {
    patched.writeU64(memberAddress(dentry.d_parent, 'd_parent'), addressOf(dentry));
    // Nor is its parent the root of the mount any more.
    patched.writeU64(memberAddress(first!.file.f_path.mnt, 'mnt_root'), 0xffff_8880_0000_1000n);
    const { kernel } = again();
    const file = kernel.object('struct file', addressOf(first!.file));
    expect(() => filePath(kernel, file)).toThrow('a path without an end');
  });

  test('a name of a wild length is refused', () => {
    patched.write(memberAddress(dentry, 'd_name.len'), new Uint8Array(4).fill(0xff));
    const { kernel } = again();
    const file = kernel.object('struct file', addressOf(first!.file));
    expect(() => filePath(kernel, file)).toThrow(/^a file name of \d+ bytes/);
  });

  test('a table of a wild size is refused', () => {
    patched.write(memberAddress(table, 'max_fds'), new Uint8Array(4).fill(0xff));
    const { kernel, task } = again();
    expect(() => openFiles(kernel, task)).toThrow(/^a table of \d+ file descriptors/);
  });

  test('a task without a table has no open files', () => {
    patched.writeU64(memberAddress(init, 'files'), 0n);
    const { kernel, task } = again();
    expect(openFiles(kernel, task)).toBeUndefined();
  });
});
