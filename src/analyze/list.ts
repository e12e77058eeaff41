/** `list`: what hangs on a linked list, through memory that may be damaged. */

import { DumpError, within } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { atMostOne, type Options, type Run } from './command.ts';
import { EntryStructs } from './entry-structs.ts';
import { hexNumber, hexOrAddress } from './numbers.ts';
import { radixOf } from './radix.ts';
import { containedAt, structureNamed } from './struct.ts';

/** More are not followed: the links of a sound list of that many would fill pages of output. */
const maxEntries = 1_000_000;

/** How to go along. */
interface Chain {
  /** The first link. */
  readonly first: bigint;
  /** From a link to the pointer to the next. */
  readonly next: bigint;
  /** From a link back to the entry that it lies in. */
  readonly inside: bigint;
  /** A link that is no longer part of the list. */
  readonly end: bigint | undefined;
  /** Of list_heads: its pointers are never 0. */
  readonly isCircular: boolean;
  /** Where it may come back to: to its start, or to nothing but the head, which is its end. */
  readonly returns: 'anywhere' | 'to its end';
}

interface Walk {
  /** Links in their order. */
  readonly links: readonly bigint[];
  /** Why there are not more; undefined where the list came to its end. */
  readonly problem: DumpError | undefined;
}

export const run: Run = (kernel, words, options, context) => {
  const structs = new EntryStructs(kernel, options, radixOf(options, context));
  const contained = containedAt(kernel, options.contained);
  if (contained !== 0n && structs.isEmpty) {
    throw new DumpError('usage', '--contained needs --struct', { hint: 'help list' });
  }
  const chain = chainOf(kernel, words, options);
  const { links, problem } =
    chain === undefined ? { links: [], problem: undefined } : follow(kernel, chain);
  const inside = chain?.inside ?? 0n;
  const entryOf = (link: bigint): bigint => BigInt.asUintN(64, link - inside);
  const structAt = (link: bigint): bigint => BigInt.asUintN(64, entryOf(link) - contained);
  return {
    json() {
      structs.begin();
      const entries = links.map((link) => ({
        address: jsonAddress(entryOf(link)),
        structs: structs.json(structAt(link)),
      }));
      return { entries };
    },
    *text() {
      structs.begin();
      if (links.length === 0 && problem === undefined) yield '(empty)';
      for (const link of links) {
        yield entryOf(link).toString(16);
        yield* structs.lines(structAt(link));
      }
    },
    counted: links.length === 1 ? '1 entry' : `${links.length} entries`,
    get missing() {
      const rest = { what: 'list entries', count: null, why: problem?.message ?? '' };
      return [...(problem === undefined ? [] : [rest]), ...structs.missing];
    },
    get errors() {
      return [...(problem === undefined ? [] : [problem]), ...structs.errors];
    },
  };
};

/** Undefined for a list_head that leads to itself. */
function chainOf(kernel: Kernel, words: readonly string[], options: Options): Chain | undefined {
  atMostOne(options, ['head', 'inside']);
  const { offset, start } = operandsOf(kernel, words, options);
  const isReverse = options.reverse === true;
  const isCircular = options.head === true || options.inside === true || isReverse;
  const end = typeof options.end === 'string' ? hexNumber(options.end) : undefined;
  const next = isCircular ? (isReverse ? 8n : 0n) : offset;
  const inside = isCircular ? offset : 0n;
  const other = options.headOffset;
  if (other !== undefined && options.inside !== true) {
    throw new DumpError('usage', '--head-offset needs --inside', { hint: 'help list' });
  }
  const isBeside = options.head === true || other !== undefined;
  if (!isBeside) {
    return { first: start + inside, next, inside, end, isCircular, returns: 'anywhere' };
  }
  const head = BigInt.asUintN(64, start + containedAt(kernel, other));
  const first = kernel.memory.u64(head + next);
  if (first === head) return undefined;
  return { first, next, inside, end: end ?? head, isCircular, returns: 'to its end' };
}

/** The start, and the offset that `-o` or a word before or behind it gives. */
function operandsOf(
  kernel: Kernel,
  words: readonly string[],
  options: Options,
): { readonly offset: bigint; readonly start: bigint } {
  const isOffset = (word: string): boolean => {
    return isMember(kernel, word) || /^(\d{1,9}|0x[0-9a-f]{1,8})$/i.test(word);
  };
  const [first, second, ...rest] = words;
  if (first === undefined || rest.length > 0) {
    throw new DumpError('usage', 'list needs the address where it starts, and takes an offset', {
      hint: 'list -H modules -o module.list, list task_struct.tasks -h init_task',
    });
  }
  if (second === undefined) {
    return {
      offset: containedAt(kernel, options.offset),
      start: hexOrAddress(kernel, first),
    };
  }
  const [offset, start] = isOffset(first) ? [first, second] : [second, first];
  if (!isOffset(offset) || options.offset !== undefined) {
    throw new DumpError('usage', `"${options.offset === undefined ? offset : first}" is too much`, {
      hint: 'an offset is STRUCT.MEMBER or a number of bytes',
    });
  }
  return { offset: containedAt(kernel, offset), start: hexOrAddress(kernel, start) };
}

/** `task_struct.tasks`, where that is a type. */
function isMember(kernel: Kernel, word: string): boolean {
  const [name = '', ...path] = word.split('.');
  if (path.length === 0 || kernel.symbols.lookup(name) !== undefined) return false;
  structureNamed(kernel.types, name);
  return true;
}

/** Ends as crash: at 0, at the end, at the start, at a link that leads to itself or the second. */
function follow({ memory }: Kernel, chain: Chain): Walk {
  const { first, next, inside, end, isCircular, returns } = chain;
  const links: bigint[] = [];
  const seen = new Set<bigint>();
  let link = first;
  let second: bigint | undefined;
  try {
    for (;;) {
      const name = BigInt.asUintN(64, link - inside).toString(16);
      if (seen.has(link)) {
        const last = BigInt.asUintN(64, links.at(-1)! - inside).toString(16);
        const message = `duplicate list entry: ${name}, behind ${last}: the list runs in a circle`;
        throw new DumpError('corrupt', message, { where: { virtual: link } });
      }
      if (links.length >= maxEntries) {
        throw new DumpError('corrupt', `the list has more than ${maxEntries} entries`, {
          where: { virtual: link },
        });
      }
      seen.add(link);
      links.push(link);
      const following = within(`list entry ${name}`, {}, () =>
        memory.u64(BigInt.asUintN(64, link + next)),
      );
      second ??= following;
      if (following === 0n && isCircular) {
        const message = `invalid list entry: 0, behind ${name}: a list_head never leads there`;
        throw new DumpError('corrupt', message, { where: { virtual: link } });
      }
      if (following === 0n || following === end) return { links, problem: undefined };
      const isBack = following === link || following === first;
      const isAtSecond = following === second && links.length > 1;
      if (returns === 'anywhere' && (isBack || isAtSecond)) return { links, problem: undefined };
      link = following;
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return { links, problem: error };
  }
}
