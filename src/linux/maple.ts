/**
 * Maple trees: ranges of indexes and what stands for each, since v6.1.
 * Source: include/linux/maple_tree.h, lib/maple_tree.c.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { OnProblem, TreeKernel } from './rbtree.ts';

/** A range of indexes; `entry` is 0 where nothing stands for it. */
export interface MapleEntry {
  readonly kind: 'entry';
  readonly entry: bigint;
  readonly first: bigint;
  readonly last: bigint;
  /** Of the node that it is in, the root's is 0; -1 where the tree has no node. */
  readonly depth: number;
  /** `root/0/5`: slot 5 of the node in slot 0; `/0` where the tree has no node. */
  readonly position: string;
}

export interface MapleNode {
  readonly kind: 'node';
  readonly address: bigint;
  /** enum maple_type. */
  readonly type: number;
  readonly first: bigint;
  readonly last: bigint;
  readonly depth: number;
  readonly parent: bigint;
  readonly pivots: readonly bigint[];
  readonly slots: readonly bigint[];
  /** Of maple_arange_64: the largest hole below each slot. */
  readonly gaps: readonly bigint[];
  /** Of maple_arange_64: the last slot in use, and the one with the largest hole. */
  readonly meta: { readonly end: number; readonly gap: number } | undefined;
}

/** enum maple_type. */
const leaf64 = 1;
const range64 = 2;
const allocationRange64 = 3;
/** Nodes are aligned to 256 bytes; their pointers carry the type in bits 3 to 6. */
const nodeMask = ~0xffn;
const wholeRange = 0xffff_ffff_ffff_ffffn;
/** vm.max_map_count can be raised at will; no process of ours has had more. */
const maxNodes = 1024 * 1024;
/** Every node branches at least in two: a sound tree of 2^64 indexes is no deeper. */
const maxDepth = 31;

/** Of a struct maple_tree: what `walkMaple` begins with. */
export function mapleRoot({ memory, types }: TreeKernel, tree: bigint): bigint {
  return memory.u64(tree + BigInt(types.offsetOf('struct maple_tree', 'ma_root')));
}

/**
 * Nodes, each before what is in it, and entries in the order of their indexes below `root`:
 * ma_root, or the address of a node with its type. A branch that cannot be read, or leads back, is
 * left out and told.
 */
export function* walkMaple(
  kernel: TreeKernel,
  root: bigint,
  onProblem: OnProblem,
): Generator<MapleEntry | MapleNode> {
  if (isNode(root)) yield* new Walk(kernel, onProblem).run(root);
  else yield { kind: 'entry', entry: root, first: 0n, last: 0n, depth: -1, position: '/0' };
}

/** xa_is_node(): an internal entry that is a pointer. */
function isNode(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry > 4096n;
}

interface NodeLayout {
  readonly size: number;
  readonly pivots: number;
  readonly slots: number;
  readonly count: number;
  /** Undefined where the nodes do not know holes. */
  readonly gaps: number | undefined;
  readonly meta: { readonly end: number; readonly gap: number } | undefined;
}

class Walk {
  readonly #kernel: TreeKernel;
  readonly #onProblem: OnProblem;
  readonly #seen = new Set<bigint>();
  readonly #layouts = new Map<number, NodeLayout>();

  constructor(kernel: TreeKernel, onProblem: OnProblem) {
    this.#kernel = kernel;
    this.#onProblem = onProblem;
  }

  *run(root: bigint): Generator<MapleEntry | MapleNode> {
    yield* this.#below(root, 0n, wholeRange, 0, 'root');
  }

  /** The node is responsible for the indexes from `first` to `last`. */
  *#below(
    slot: bigint,
    first: bigint,
    last: bigint,
    depth: number,
    path: string,
  ): Generator<MapleEntry | MapleNode> {
    const node = attempt(() => this.#read(slot, first, last, depth), this.#onProblem);
    if (node === undefined) return;
    yield node;
    const { slots, pivots, type } = node;
    let begin = first;
    for (const [index, entry] of slots.entries()) {
      const pivot = pivots[index];
      // Behind its last entry a node has zeros.
      if (pivot === 0n && index > 0) return;
      const end = pivot === undefined || pivot > last ? last : pivot;
      const position = `${path}/${index}`;
      if (type === leaf64) {
        yield { kind: 'entry', entry, first: begin, last: end, depth, position };
      } else if (entry !== 0n) {
        yield* this.#below(entry, begin, end, depth + 1, position);
      }
      if (end >= last) return;
      begin = end + 1n;
    }
  }

  #read(slot: bigint, first: bigint, last: bigint, depth: number): MapleNode {
    const address = slot & nodeMask;
    if (this.#seen.has(address) || depth > maxDepth || this.#seen.size >= maxNodes) {
      throw new DumpError('corrupt', 'the maple tree has no end', { where: { virtual: address } });
    }
    this.#seen.add(address);
    const type = Number((slot >> 3n) & 0xfn);
    const layout = this.#layoutOf(type, address);
    const view = this.#kernel.memory.view(address, layout.size);
    const words = (at: number, count: number): bigint[] =>
      Array.from({ length: count }, (_, index) => view.getBigUint64(at + index * 8, true));
    const { pivots, slots, count, gaps, meta } = layout;
    return {
      kind: 'node',
      ...{ address, type, first, last, depth },
      parent: view.getBigUint64(0, true),
      pivots: words(pivots, count - 1),
      slots: words(slots, count),
      gaps: gaps === undefined ? [] : words(gaps, count),
      meta: meta && { end: view.getUint8(meta.end), gap: view.getUint8(meta.gap) },
    };
  }

  #layoutOf(type: number, virtual: bigint): NodeLayout {
    let layout = this.#layouts.get(type);
    if (layout === undefined) {
      if (type !== leaf64 && type !== range64 && type !== allocationRange64) {
        throw new DumpError('corrupt', `a maple node of type ${type}`, { where: { virtual } });
      }
      layout = this.#askLayout(type);
      this.#layouts.set(type, layout);
    }
    return layout;
  }

  #askLayout(type: number): NodeLayout {
    const knowsHoles = type === allocationRange64;
    const { types } = this.#kernel;
    const name = knowsHoles ? 'struct maple_arange_64' : 'struct maple_range_64';
    const slots = types.member(name, 'slot');
    return {
      size: types.sizeOf(name),
      pivots: types.offsetOf(name, 'pivot'),
      slots: slots.offset,
      count: types.resolve(slots.type).size / 8,
      gaps: knowsHoles ? types.offsetOf(name, 'gap') : undefined,
      meta: knowsHoles
        ? { end: types.offsetOf(name, 'meta.end'), gap: types.offsetOf(name, 'meta.gap') }
        : undefined,
    };
  }
}
