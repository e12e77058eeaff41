/** Which memory `search` looks through: a space, or the parts of one that its letters mean. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import { kernelMap } from '../linux/kernel-image.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { StackTable } from '../linux/stacks.ts';
import { hex } from './columns.ts';
import { atMostOne, type Context, type Options } from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import type { Gaps } from './gaps.ts';
import { hexNumber, hexOrAddress } from './numbers.ts';
import { listTasks, type TaskEntry } from './tasks.ts';

const wholeSpace = 1n << 64n;
/** Where the lower half of the address space ends, by levels of page tables. */
const userEnd = { 4: 1n << 47n, 5: 1n << 56n } as const;
/** KERNEL_IMAGE_SIZE with CONFIG_RANDOMIZE_BASE, where VMCOREINFO does not say it. */
const usualImageSize = 0x4000_0000;

export type Space = 'kernel' | 'user' | 'physical';

/** `linear`: what is mapped as it lies in memory, and the kernel's image; `mapped`: the rest. */
export type Part = 'all' | 'linear' | 'mapped' | 'stacks' | 'running stacks';

export interface Piece {
  readonly start: bigint;
  /** One past the last byte. */
  readonly end: bigint;
  /** Whose stack it is. */
  readonly task?: TaskEntry;
}

export interface Area extends Piece {
  readonly space: Space;
  readonly part: Part;
  /** What is searched between start and end, in this order. */
  readonly pieces: readonly Piece[];
}

const parts: Readonly<Record<string, Part>> = {
  linear: 'linear',
  mapped: 'mapped',
  stacks: 'stacks',
  running: 'running stacks',
};

/** Throws `usage` where there is no such memory. */
export function areaOf(kernel: Kernel, options: Options, gaps: Gaps): Area {
  atMostOne(options, ['kernel', 'physical', 'user', ...Object.keys(parts)]);
  atMostOne(options, ['end', 'length']);
  const part = parts[Object.keys(parts).find((name) => options[name] === true) ?? ''] ?? 'all';
  const whole = boundsOf(kernel, options);
  return { ...whole, part, pieces: piecesOf(kernel, whole, part, gaps) };
}

function boundsOf(kernel: Kernel, options: Options): Piece & { readonly space: Space } {
  const space = options.physical
    ? 'physical'
    : options.user || options.task !== undefined
      ? 'user'
      : 'kernel';
  const place = (word: string): bigint =>
    space === 'kernel' ? hexOrAddress(kernel, word) : hexNumber(word);
  const half = userEnd[kernel.memory.root.levels];
  const bounds: Readonly<Record<Space, readonly [bigint, bigint]>> = {
    kernel: [wholeSpace - half, wholeSpace],
    user: [0n, half],
    physical: [0n, BigInt(kernel.dump.endPfn) * BigInt(kernel.dump.pageSize)],
  };
  const [lowest, highest] = bounds[space];
  const start = typeof options.start === 'string' ? place(options.start) : lowest;
  let end = typeof options.end === 'string' ? place(options.end) : highest;
  if (typeof options.length === 'string') end = start + lengthOf(options.length);
  if (end > highest) end = highest;
  if (start >= lowest && start < end) return { space, start, end };
  throw new DumpError('usage', `no ${space} memory from ${hex(start)} to ${hex(end)}`, {
    hint: 'the option -u means user memory, -p physical memory',
  });
}

/** Decimal, or hexadecimal with 0x. */
function lengthOf(word: string): bigint {
  if (/^(\d{1,18}|0x[0-9a-f]{1,15})$/i.test(word)) return BigInt(word);
  throw new DumpError('usage', `"${word}" is no length in bytes`);
}

function piecesOf(kernel: Kernel, { start, end }: Piece, part: Part, gaps: Gaps): Piece[] {
  const within = (pieces: readonly Piece[]): Piece[] =>
    pieces
      .map((piece) => ({ ...piece, start: larger(piece.start, start), end: less(piece.end, end) }))
      .filter((piece) => piece.start < piece.end);
  if (part === 'all') return [{ start, end }];
  if (part === 'linear') return within(linearPieces(kernel));
  if (part === 'mapped') return within(between(linearPieces(kernel)));
  return within(stacksOf(kernel, part, gaps));
}

/** All of RAM where the kernel maps it as it lies, and the kernel's image. */
function linearPieces(kernel: Kernel): Piece[] {
  const { dump, pageOffset, vmcoreinfo } = kernel;
  const memory = BigInt(dump.endPfn) * BigInt(dump.pageSize);
  const image = BigInt(vmcoreinfo.number('KERNEL_IMAGE_SIZE') ?? usualImageSize);
  return [
    { start: pageOffset, end: pageOffset + memory },
    { start: kernelMap, end: kernelMap + image },
  ];
}

function between(pieces: readonly Piece[]): Piece[] {
  const starts = [0n, ...pieces.map(({ end }) => end)];
  const ends = [...pieces.map(({ start }) => start), wholeSpace];
  return starts.map((start, index) => ({ start, end: ends[index]! }));
}

function stacksOf(kernel: Kernel, part: Part, gaps: Gaps): Piece[] {
  const stacks = new StackTable(kernel);
  const { entries, missing, errors } = listTasks(kernel);
  for (const error of missing.length > 0 ? errors : []) gaps.add('stacks', error);
  return entries.flatMap((task) => {
    if (part === 'running stacks' && !task.active) return [];
    const stack = gaps.attempt('stacks', () => stacks.ofTask(task.address));
    return stack === undefined ? [] : [{ start: stack.start, end: stack.end, task }];
  });
}

function larger(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function less(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

/** What the addresses of the area go through; undefined: they are physical. */
export function memoryOf(
  kernel: Kernel,
  { space }: Area,
  options: Options,
  context: Context,
): AddressSpace | undefined {
  if (space === 'physical') return undefined;
  if (space === 'kernel') return kernel.memory;
  return addressSpaceOf(kernel, contextTask(kernel, context, options.task));
}
