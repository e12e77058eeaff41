/** Trees made by hand: radix trees of kernels before 4.20, and what XArrays have in their slots. */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { Btf } from '../../src/linux/btf.ts';
import { type TreeKernel, walkRedBlack } from '../../src/linux/rbtree.ts';
import { TypeTable } from '../../src/linux/types.ts';
import { headOf, nodeEntry, walkXarray } from '../../src/linux/xarray.ts';
import { BtfWriter } from '../support/btf.ts';
import { addressSpaceWith } from '../support/memory.ts';

const base = 0xffff_8880_0000_0000n;
/** Nodes of 8 slots of three bits each, as small kernels have them. */
const slotCount = 8;
const firstSlot = 8;
const nodeSize = 128;

/** `nodes[n]` lies at `base + n * nodeSize`; node 0 is the root structure. */
function kernelWith(
  names: { readonly node: string; readonly root: string; readonly head: string },
  nodes: readonly { readonly shift: number; readonly slots: Readonly<Record<number, bigint>> }[],
): TreeKernel {
  const btf = new BtfWriter();
  const u8 = btf.int('unsigned char', 1, {});
  const u64 = btf.int('long unsigned int', 8, {});
  const slots = btf.array(u64, slotCount);
  btf.struct(names.node, firstSlot + slotCount * 8, [
    { name: 'shift', type: u8, bitOffset: 0 },
    { name: 'slots', type: slots, bitOffset: firstSlot * 8 },
  ]);
  btf.struct(names.root, 16, [{ name: names.head, type: u64, bitOffset: 64 }]);
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  for (const [at, node] of nodes.entries()) {
    view.setUint8(at * nodeSize, node.shift);
    for (const [slot, word] of Object.entries(node.slots)) {
      view.setBigUint64(at * nodeSize + firstSlot + Number(slot) * 8, word, true);
    }
  }
  const types = new TypeTable(new Btf('vmlinux', btf.bytes()), () => []);
  return { memory: addressSpaceWith(base, bytes), types };
}

function nodeAt(index: number): bigint {
  return base + BigInt(index * nodeSize);
}

function walked(kernel: TreeKernel): { entries: string[]; problems: string[] } {
  const problems: string[] = [];
  const onProblem = ({ message }: DumpError): void => void problems.push(message);
  const entries = [...walkXarray(kernel, headOf(kernel, base), onProblem)].map(
    ({ entry, index, position }) => `${index} ${position} ${entry.toString(16)}`,
  );
  return { entries, problems };
}

const radix = { node: 'radix_tree_node', root: 'radix_tree_root', head: 'rnode' };
const xarray = { node: 'xa_node', root: 'xarray', head: 'xa_head' };

describe('radix trees', () => {
  test('two levels; nodes are marked by the lowest bit, exceptional entries are none', () => {
    const kernel = kernelWith(radix, [
      { shift: 0, slots: { 0: nodeAt(1) | 1n } },
      { shift: 3, slots: { 0: nodeAt(2) | 1n, 5: nodeAt(3) | 1n } },
      { shift: 0, slots: { 1: 0xffff_8880_0000_1000n } },
      { shift: 0, slots: { 7: 0x12n } },
    ]);
    expect(walked(kernel)).toEqual({
      entries: ['1 root/0/1 ffff888000001000', '47 root/5/7 12'],
      problems: [],
    });
    expect(nodeEntry(kernel, nodeAt(1))).toBe(nodeAt(1) | 1n);
  });

  test('an entry that needs no node', () => {
    const kernel = kernelWith(radix, [{ shift: 0, slots: { 0: 0xffff_8880_0000_1000n } }]);
    expect(walked(kernel).entries).toEqual(['0 direct/0 ffff888000001000']);
  });
});

describe('XArrays', () => {
  test('values and pointers are entries; siblings, retry and zero entries are not', () => {
    const sibling = (slot: bigint): bigint => (slot << 2n) | 2n;
    const kernel = kernelWith(xarray, [
      { shift: 0, slots: { 0: nodeAt(1) | 2n } },
      {
        shift: 0,
        slots: { 0: 85n, 2: 0xffff_8880_0000_1000n, 3: sibling(2n), 4: 0x402n, 5: 0x406n },
      },
    ]);
    expect(walked(kernel).entries).toEqual(['0 root/0 55', '2 root/2 ffff888000001000']);
  });

  test('an entry for all indexes of a slot stands in its node', () => {
    const kernel = kernelWith(xarray, [
      { shift: 0, slots: { 0: nodeAt(1) | 2n } },
      { shift: 3, slots: { 1: 0xffff_8880_0000_1000n, 2: nodeAt(2) | 2n } },
      { shift: 0, slots: { 3: 0xffff_8880_0000_2000n } },
    ]);
    expect(walked(kernel).entries).toEqual([
      '8 root/1 ffff888000001000',
      '19 root/2/3 ffff888000002000',
    ]);
  });

  test('an empty one has no entries, a shift that cannot be is said', () => {
    expect(walked(kernelWith(xarray, [{ shift: 0, slots: {} }])).entries).toEqual([]);
    const kernel = kernelWith(xarray, [
      { shift: 0, slots: { 0: nodeAt(1) | 2n } },
      { shift: 7, slots: {} },
    ]);
    expect(walked(kernel)).toEqual({ entries: [], problems: ['a node of shift 7'] });
  });

  test('a node that leads back to its parent is left out', () => {
    const kernel = kernelWith(xarray, [
      { shift: 0, slots: { 0: nodeAt(1) | 2n } },
      { shift: 6, slots: { 0: nodeAt(2) | 2n, 1: 21n } },
      { shift: 3, slots: { 0: nodeAt(1) | 2n } },
    ]);
    expect(walked(kernel)).toEqual({
      entries: ['64 root/1 15'],
      problems: [`tree node ${nodeAt(1).toString(16)}: it has been met before`],
    });
  });
});

test('a red-black tree of a kernel without types, and one that is too deep', () => {
  const count = 140;
  const bytes = new Uint8Array(count * 24);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < count - 1; at++) {
    view.setBigUint64(at * 24 + 16, base + BigInt((at + 1) * 24), true);
  }
  const kernel: TreeKernel = {
    memory: addressSpaceWith(base, bytes),
    get types(): never {
      throw new DumpError('absent', 'the kernel carries no types');
    },
  };
  const problems: DumpError[] = [];
  const nodes = [...walkRedBlack(kernel, base, 'parents first', (one) => problems.push(one))];
  expect(nodes.slice(0, 3).map(({ position }) => position)).toEqual(['root', 'root/l', 'root/l/l']);
  expect(nodes.length).toBeLessThan(count);
  expect(problems).toMatchObject([{ code: 'corrupt' }]);
});
