/**
 * XArrays, and the radix trees that they were before v4.20.
 * Source: include/linux/xarray.h, include/linux/radix-tree.h.
 */

import { attempt, DumpError, within } from '../bytes/errors.ts';
import type { OnProblem, TreeKernel } from './rbtree.ts';

export interface ArrayEntry {
  /** As it stands in its slot: a pointer, perhaps with a tag in its two lowest bits, or a value. */
  readonly entry: bigint;
  readonly index: bigint;
  /** `root/1/26`: slot 26 of the node in slot 1; `direct/0` where there is no node. */
  readonly position: string;
}

/** How nodes look, and how a slot says that it leads to one. */
interface Shape {
  readonly shift: bigint;
  readonly slots: bigint;
  readonly count: number;
  /** Bits of an index that a node resolves. */
  readonly bits: number;
  /** Undefined for what is no node. */
  nodeOf(slot: bigint): bigint | undefined;
  /** Slots that hold no entry of their own. */
  isEmpty(slot: bigint): boolean;
}

const maxEntries = 1_000_000;

/**
 * The entries below `head`: xa_head, rnode or the (tagged) address of a node. A branch that cannot
 * be read, or leads back, is left out and told.
 */
export function* walkXarray(
  kernel: TreeKernel,
  head: bigint,
  onProblem: OnProblem,
): Generator<ArrayEntry> {
  const shape = shapeOf(kernel);
  const root = shape.nodeOf(head);
  if (root !== undefined) yield* new Walk(kernel, shape, onProblem).run(root);
  else if (!shape.isEmpty(head)) yield { entry: head, index: 0n, position: 'direct/0' };
}

/** Of a struct xarray or radix_tree_root; throws `absent` where the kernel has neither. */
export function headOf({ memory, types }: TreeKernel, root: bigint): bigint {
  const [type, member] = types.hasMember('struct xarray', 'xa_head')
    ? ['struct xarray', 'xa_head']
    : ['struct radix_tree_root', 'rnode'];
  return memory.u64(root + BigInt(types.offsetOf(type!, member!)));
}

/** The address of a node as a slot has it. */
export function nodeEntry(kernel: TreeKernel, address: bigint): bigint {
  return (address & ~3n) | (kernel.types.find('struct xa_node') === undefined ? 1n : 2n);
}

function shapeOf({ types }: TreeKernel): Shape {
  const isXarray = types.find('struct xa_node') !== undefined;
  const name = isXarray ? 'struct xa_node' : 'struct radix_tree_node';
  const slots = types.member(name, 'slots');
  const count = types.resolve(slots.type).size / 8;
  const bits = Math.log2(count);
  if (!Number.isInteger(bits) || bits < 1) {
    throw new DumpError('corrupt', `${name} has ${count} slots`);
  }
  const common = {
    shift: BigInt(types.offsetOf(name, 'shift')),
    slots: BigInt(slots.offset),
    ...{ count, bits },
  };
  if (!isXarray) {
    // RADIX_TREE_INTERNAL_NODE.
    const nodeOf = (slot: bigint): bigint | undefined =>
      (slot & 3n) === 1n ? slot & ~3n : undefined;
    return { ...common, nodeOf, isEmpty: (slot) => slot === 0n };
  }
  return {
    ...common,
    // xa_is_node(); below are siblings (of an entry over several slots), retry and zero entries.
    nodeOf: (slot) => ((slot & 3n) === 2n && slot > 4096n ? slot & ~3n : undefined),
    isEmpty: (slot) => slot === 0n || ((slot & 3n) === 2n && slot <= 4096n),
  };
}

class Walk {
  readonly #kernel: TreeKernel;
  readonly #shape: Shape;
  readonly #onProblem: OnProblem;
  readonly #seen = new Set<bigint>();

  constructor(kernel: TreeKernel, shape: Shape, onProblem: OnProblem) {
    this.#kernel = kernel;
    this.#shape = shape;
    this.#onProblem = onProblem;
  }

  *run(root: bigint): Generator<ArrayEntry> {
    const { memory } = this.#kernel;
    const { shift, bits } = this.#shape;
    const rootShift = attempt(() => {
      const found = memory.u8(root + shift);
      // A sound tree resolves 64 bits.
      if (found < 64 && found % bits === 0) return found;
      throw new DumpError('corrupt', `a node of shift ${found}`, { where: { virtual: root } });
    }, this.#onProblem);
    if (rootShift !== undefined) yield* this.#node(root, rootShift, 0n, 'root');
  }

  *#node(node: bigint, shift: number, base: bigint, path: string): Generator<ArrayEntry> {
    const { slots, count, bits } = this.#shape;
    const read = (): DataView => {
      this.#enter(node);
      return this.#kernel.memory.view(node + slots, count * 8);
    };
    const name = `tree node ${node.toString(16)}`;
    const view = attempt(() => within(name, {}, read), this.#onProblem);
    if (view === undefined) return;
    // The words must not change while others are read.
    const words = Array.from({ length: count }, (_, at) => view.getBigUint64(at * 8, true));
    for (const [at, slot] of words.entries()) {
      if (this.#shape.isEmpty(slot)) continue;
      const index = BigInt.asUintN(64, base | (BigInt(at) << BigInt(shift)));
      const position = `${path}/${at}`;
      const child = shift === 0 ? undefined : this.#shape.nodeOf(slot);
      if (child === undefined) yield { entry: slot, index, position };
      else yield* this.#node(child, shift - bits, index, position);
    }
  }

  #enter(node: bigint): void {
    const where = { virtual: node };
    if (this.#seen.has(node)) throw new DumpError('corrupt', 'it has been met before', { where });
    if (this.#seen.size * this.#shape.count > maxEntries) {
      throw new DumpError('corrupt', `the tree has more than ${maxEntries} slots`, { where });
    }
    this.#seen.add(node);
  }
}
