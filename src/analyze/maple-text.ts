/** What crash 8.0.6 prints of maple trees with `tree -v`. */

import type { Kernel } from '../linux/kernel.ts';
import { type MapleEntry, type MapleNode, mapleRoot } from '../linux/maple.ts';
import { memberAddress } from '../linux/objects.ts';

/** MT_FLAGS_HEIGHT_MASK and MT_FLAGS_HEIGHT_OFFSET of include/linux/maple_tree.h. */
const heightMask = 0x7c;
const heightOffset = 2;

export function* mapleHeadLines(kernel: Kernel, tree: bigint): Generator<string> {
  const flags = kernel.memory.u32(
    memberAddress(kernel.object('struct maple_tree', tree), 'ma_flags'),
  );
  const height = (flags & heightMask) >>> heightOffset;
  const shown = flags.toString(16).toUpperCase();
  const root = mapleRoot(kernel, tree).toString(16);
  yield `maple_tree(${tree.toString(16)}) flags ${shown}, height ${height} root 0x${root}`;
  yield '';
}

export function mapleNodeLine(node: MapleNode): string {
  const { address, type, depth, parent, slots, pivots, gaps, meta } = node;
  const pairs = slots.map((slot, index) => {
    return pivots[index] === undefined ? pointer(slot) : `${pointer(slot)} ${pivots[index]}`;
  });
  const bytes = meta === undefined ? '' : `| ${hexByte(meta.end)} ${hexByte(meta.gap)}| `;
  const holes = gaps.map((gap) => `${gap} `).join('');
  return (
    `${range(node, depth)}node 0x${address.toString(16)} depth ${depth} type ${type} ` +
    `parent ${pointer(parent)} contents: ${holes}${bytes}${pairs.join(' ')}`
  );
}

export function mapleEntryLine(entry: MapleEntry): string {
  return `${range(entry, entry.depth + 1)}${meaning(entry.entry)}`;
}

function range({ first, last }: MapleEntry | MapleNode, depth: number): string {
  return `${'  '.repeat(depth)}${first === last ? first : `${first}-${last}`}: `;
}

/** XArray's kinds of entries, which maple trees share. */
function meaning(entry: bigint): string {
  const hex = `0x${entry.toString(16)}`;
  if ((entry & 1n) === 1n) return `value ${entry >> 1n} (0x${(entry >> 1n).toString(16)}) [${hex}]`;
  const isInternal = (entry & 3n) === 2n;
  if (isInternal && entry >> 2n === 257n) return `zero (${entry >> 2n})`;
  return isInternal && entry < 4096n ? `UNKNOWN ENTRY (${hex})` : hex;
}

/** As printf's %p. */
function pointer(value: bigint): string {
  return value === 0n ? '(nil)' : `0x${value.toString(16)}`;
}

function hexByte(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0');
}
