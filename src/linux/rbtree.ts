/** Red-black trees: struct rb_node. Source: include/linux/rbtree.h, lib/rbtree.c. */

import { attempt, DumpError, within } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import type { TypeTable } from './types.ts';

/** What walking trees needs of a kernel; `KernelCore` is one. */
export interface TreeKernel {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
}

export interface RedBlackNode {
  /** Of the rb_node. */
  readonly address: bigint;
  /** `root/l/r`: the right child of the left child of the root. */
  readonly position: string;
}

/** Told of each branch that cannot be followed. */
export type OnProblem = (problem: DumpError) => void;

/** Nodes of one tree; a sound one with more would fill the memory of a large machine. */
const maxNodes = 1_000_000;
/** A sound tree of 2^64 nodes is no deeper: at most twice the logarithm. */
const maxDepth = 128;

/**
 * The nodes below `root`, an rb_node or 0: each before its children, or from left to right. A
 * branch that cannot be read, or leads back, is left out and told.
 */
export function* walkRedBlack(
  kernel: TreeKernel,
  root: bigint,
  order: 'parents first' | 'left to right',
  onProblem: OnProblem,
): Generator<RedBlackNode> {
  const { memory } = kernel;
  const { left, right } = linksOf(kernel);
  const seen = new Set<bigint>();
  const enter = (address: bigint, depth: number): readonly [bigint, bigint] => {
    const where = { virtual: address };
    if (seen.has(address)) throw new DumpError('corrupt', 'it has been met before', { where });
    if (depth > maxDepth || seen.size >= maxNodes) {
      throw new DumpError('corrupt', 'the tree has no end', { where });
    }
    seen.add(address);
    return [memory.u64(address + left), memory.u64(address + right)];
  };
  function* visit(address: bigint, position: string, depth: number): Generator<RedBlackNode> {
    if (address === 0n) return;
    const name = `tree node ${address.toString(16)}`;
    const children = attempt(() => within(name, {}, () => enter(address, depth)), onProblem);
    if (children === undefined) return;
    const node = { address, position };
    if (order === 'parents first') yield node;
    yield* visit(children[0], `${position}/l`, depth + 1);
    if (order === 'left to right') yield node;
    yield* visit(children[1], `${position}/r`, depth + 1);
  }
  yield* visit(root, 'root', 0);
}

/** Older than any kernel that is read here: the layout is known where there are no types. */
function linksOf(kernel: TreeKernel): { readonly left: bigint; readonly right: bigint } {
  const offsetOf = (member: string): number | undefined =>
    attempt(() => kernel.types.offsetOf('struct rb_node', member));
  return { left: BigInt(offsetOf('rb_left') ?? 16), right: BigInt(offsetOf('rb_right') ?? 8) };
}
