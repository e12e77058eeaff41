/**
 * `walk`: follows a linked list from structure to structure, as lcrash's help describes it: by a
 * pointer to the next structure, by the struct list_head within it (-h), or by a bare offset.
 */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject } from '../linux/objects.ts';
import type { Answer, Context, Options, Run } from './command.ts';
import { dumpLines } from './dump.ts';
import { Gaps } from './gaps.ts';
import { addressColumn, plainRows, type RowKind, rowKinds } from './lcrash-rows.ts';
import { rule, structTable, tableStyle } from './lcrash-table.ts';
import { hexOrAddress } from './numbers.ts';
import { structureNamed } from './struct.ts';

/** Of one structure that is dumped by its size. */
const maxSize = 64 * 1024;
/** A list that goes on longer is taken for damage, unless -i allows it. */
const usualHops = 10_000;
const maxHops = 1_000_000;

/** Where a list begins, and how it goes on. */
interface Links {
  readonly first: bigint;
  /** The link behind one, and whether a link is the end of the list. */
  next(link: bigint): bigint;
  isEnd(link: bigint): boolean;
}

export const run: Run = (kernel, words, options, context) => {
  if (options.list === true) return kinds();
  const [what, by, where] = words;
  if (what === undefined || by === undefined || where === undefined || words.length > 3) {
    throw new DumpError('usage', 'walk takes a struct, a member and an address', {
      hint: 'walk task_struct tasks init_task.tasks -h n, or walk ADDRESS OFFSET SIZE',
    });
  }
  const gaps = new Gaps();
  const limit = hopsOf(options.iterations);
  const isBare = /^(0x[0-9a-f]{1,16}|[0-9a-f]{8,16})$/i.test(what);
  if (isBare) return bare(kernel, { what, by, where }, limit, gaps);
  const type = typeNamed(kernel, what);
  const offset = offsetOf(kernel, type, by, options);
  const start = hexOrAddress(kernel, where);
  const links =
    options.head === undefined
      ? byPointer(kernel, start, offset)
      : byListHead(kernel, start, options.head === 'p' ? 8n : 0n);
  const toStruct = options.head === undefined ? 0n : offset;
  const found = follow(links, limit, gaps);
  const views = found.map((link) => kernel.object(type, BigInt.asUintN(64, link - toStruct)));
  const kind = options.links === true ? linkRows(type, offset) : kindOf(type);
  return structures(kernel, { kind, views, options, context, gaps });
};

interface Found {
  readonly kind: RowKind;
  readonly views: readonly KernelObject[];
  readonly options: Options;
  readonly context: Context;
  readonly gaps: Gaps;
}

function structures(kernel: Kernel, { kind, views, options, context, gaps }: Found): Answer {
  const isWhole = options.structs === true || options.full === true;
  const style = { ...tableStyle(options, context), detail: isWhole ? 'whole' : 'line' } as const;
  const table = structTable(kernel, kind, views, style);
  return {
    json: () => ({ type: kind.type, entries: table.json() }),
    text: () => table.lines(),
    counted: plural(views.length, 'structure'),
    missing: [...gaps.missing, ...table.missing],
    errors: [...gaps.errors, ...table.errors],
  };
}

/** `walk -l`. */
function kinds(): Answer {
  const types = rowKinds.map(({ type }) => type);
  return {
    json: () => ({ type: null, entries: [], structures: types }),
    text: () => types,
    missing: [],
  };
}

/** `walk ADDRESS OFFSET SIZE`: the bytes of each. */
function bare(
  kernel: Kernel,
  { what, by, where }: Readonly<Record<'what' | 'by' | 'where', string>>,
  limit: number,
  gaps: Gaps,
): Answer {
  const size = Number(numberOf(where));
  if (size < 1 || size > maxSize) {
    throw new DumpError('usage', `a structure of ${size} bytes is not shown`, {
      hint: `from one byte to ${maxSize}`,
    });
  }
  const found = follow(byPointer(kernel, hexOrAddress(kernel, what), numberOf(by)), limit, gaps);
  const areas = found.flatMap((start) => {
    const bytes = gaps.attempt('structures', () => kernel.memory.read(start, size).slice());
    return bytes === undefined ? [] : [{ start, bytes }];
  });
  return {
    json: () => ({
      type: null,
      entries: areas.map(({ start, bytes }) => ({
        address: jsonAddress(start),
        bytes: [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
      })),
    }),
    *text() {
      for (const { start, bytes } of areas) {
        yield rule;
        yield* dumpLines({ start, bytes, width: 8 }, 16);
      }
      yield rule;
      yield `${plural(areas.length, 'structure')} found`;
    },
    counted: plural(areas.length, 'structure'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
}

function hopsOf(given: Options[string]): number {
  if (given === undefined) return usualHops;
  const hops = Number(given);
  if (Number.isInteger(hops) && hops > 0 && hops <= maxHops) return hops;
  throw new DumpError('usage', `"${given}" is no number of hops from 1 to ${maxHops}`);
}

/** Decimal, or hexadecimal with 0x. */
function numberOf(word: string): bigint {
  if (/^(\d{1,9}|0x[0-9a-f]{1,8})$/i.test(word)) return BigInt(word);
  throw new DumpError('usage', `"${word}" is no number of bytes`);
}

/** A type as BTF spells it. Throws `absent`. */
function typeNamed(kernel: Kernel, name: string): string {
  structureNamed(kernel.types, name);
  const spellings = [`struct ${name}`, `union ${name}`, name];
  return spellings.find((spelling) => kernel.types.find(spelling) !== undefined)!;
}

/** Of the member, or as many bytes as the word says; of a kind that the options can follow. */
function offsetOf(kernel: Kernel, type: string, by: string, options: Options): bigint {
  const { head } = options;
  if (head !== undefined && head !== 'n' && head !== 'p') {
    throw new DumpError('usage', '-h takes n, the next pointers, or p, those to the one before');
  }
  if (options.links === true && head === undefined) {
    throw new DumpError('usage', '-t shows struct list_heads', { hint: 'walk -t -h n ...' });
  }
  if (/^\d/.test(by)) return numberOf(by);
  const { types } = kernel;
  const member = types.member(type, by);
  const target = types.resolve(member.type);
  const isList = types.nameOf(member.type) === 'struct list_head';
  if (isList && head === undefined) {
    throw new DumpError('usage', `${by} is a struct list_head, no pointer to a ${type}`, {
      hint: `walk -h n ${type.replace(/^\w+ /, '')} ${by} HEAD: the address of the list's head`,
    });
  }
  if (!isList && (head !== undefined || target.kind !== 'pointer')) {
    const wanted = head === undefined ? 'pointer' : 'struct list_head';
    throw new DumpError('usage', `${by} of ${type} is no ${wanted}`);
  }
  return BigInt(member.offset);
}

function kindOf(type: string): RowKind {
  return rowKinds.find((kind) => kind.type === type) ?? plainRows(type);
}

/** Up to NULL, or to where it began. */
function byPointer(kernel: Kernel, first: bigint, offset: bigint): Links {
  let isBegun = false;
  return {
    first,
    next: (link) => kernel.memory.u64(BigInt.asUintN(64, link + offset)),
    isEnd(link) {
      const isAgain = isBegun && link === first;
      isBegun = true;
      return link === 0n || isAgain;
    },
  };
}

/** Up to the head of the list, which is in no structure of it. */
function byListHead(kernel: Kernel, head: bigint, pointer: bigint): Links {
  const next = (link: bigint): bigint => kernel.memory.u64(BigInt.asUintN(64, link + pointer));
  return { first: next(head), next, isEnd: (link) => link === head };
}

/** The links before the end, or before what breaks the list, which is said. */
function follow({ first, next, isEnd }: Links, limit: number, gaps: Gaps): bigint[] {
  const found = new Set<bigint>();
  const broken = (message: string, virtual: bigint): void => {
    gaps.add('list entries', new DumpError('corrupt', message, { where: { virtual } }));
  };
  let link: bigint | undefined = first;
  while (link !== undefined && !isEnd(link)) {
    const at: bigint = link;
    if (found.has(at)) {
      broken(`the list comes back to ${jsonAddress(at)}, where it did not begin`, at);
      break;
    }
    if (found.size === limit) {
      broken(`the list goes on after ${limit} hops: -i allows more`, at);
      break;
    }
    const after: bigint | undefined = gaps.attempt('list entries', () => next(at));
    // What cannot be read is no entry.
    if (after !== undefined) found.add(at);
    link = after;
  }
  return [...found];
}

/** `walk -t`: the struct list_head of each structure, and its neighbours. */
function linkRows(type: string, offset: bigint): RowKind {
  const width = addressColumn.width;
  return {
    type,
    columns: [
      addressColumn,
      { key: 'listHead', title: 'LIST_HEAD', width },
      { key: 'previous', title: 'PREV', width },
      { key: 'next', title: 'NEXT', width },
    ],
    cellsIn: ({ memory }) => {
      return (view) => {
        const link = BigInt.asUintN(64, addressOf(view) + offset);
        return {
          listHead: () => jsonAddress(link),
          previous: () => jsonAddress(memory.u64(link + 8n)),
          next: () => jsonAddress(memory.u64(link)),
        };
      };
    },
  };
}
