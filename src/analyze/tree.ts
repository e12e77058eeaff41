/** `tree`: red-black trees, XArrays, radix trees and maple trees, as crash shows them. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { type MapleNode, mapleRoot, walkMaple } from '../linux/maple.ts';
import { type OnProblem, walkRedBlack } from '../linux/rbtree.ts';
import { headOf, nodeEntry, walkXarray } from '../linux/xarray.ts';
import type { Json, Options, Run } from './command.ts';
import { EntryStructs } from './entry-structs.ts';
import { Gaps } from './gaps.ts';
import { mapleEntryLine, mapleHeadLines, mapleNodeLine } from './maple-text.ts';
import { hexOrAddress } from './numbers.ts';
import { radixOf } from './radix.ts';
import { containedAt } from './struct.ts';

type Kind = 'rbtree' | 'xarray' | 'radix' | 'maple';

interface Request {
  readonly kind: Kind;
  /** Of the root, or of a node. */
  readonly start: bigint;
  readonly from: 'root' | 'node';
}

interface Entry {
  readonly address: bigint;
  readonly index: bigint | undefined;
  readonly last: bigint | undefined;
  readonly position: string;
  /** What --verbose shows in its place. */
  readonly verbose: string | undefined;
}

export const run: Run = (kernel, words, options, context) => {
  const request = requestOf(kernel, words, options);
  const structs = new EntryStructs(kernel, options, radixOf(options, context));
  const gaps = new Gaps();
  const onProblem = (problem: DumpError): void => gaps.add('branches', problem);
  const found = [...walk(kernel, request, options, onProblem)];
  const entries = found.filter((one) => 'position' in one);
  const shown = (entry: Entry): boolean => entry.address !== 0n;
  return {
    json() {
      structs.begin();
      return {
        type: request.kind,
        entries: entries.filter(shown).map((entry) => entryJson(entry, structs)),
        nodes: found.flatMap((one) => ('position' in one ? [] : [nodeJson(one)])),
      };
    },
    *text() {
      structs.begin();
      if (options.verbose === true && request.from === 'root') {
        yield* mapleHeadLines(kernel, request.start);
      }
      let ordinal = 0;
      for (const one of found) {
        if (!('position' in one)) {
          yield mapleNodeLine(one);
          continue;
        }
        if (one.verbose !== undefined) yield one.verbose;
        if (!shown(one)) continue;
        if (one.verbose === undefined) yield one.address.toString(16);
        ordinal++;
        if (options.position === true) yield positionLine(request.kind, one, ordinal);
        yield* structs.lines(one.address);
      }
    },
    counted: entryCount(entries.filter(shown).length),
    get missing() {
      return [...gaps.missing, ...structs.missing];
    },
    get errors() {
      return [...gaps.errors, ...structs.errors];
    },
  };
};

function entryCount(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

const kinds: readonly (readonly [letters: string, kind: Kind])[] = [
  ['ra', 'radix'],
  ['rb', 'rbtree'],
  ['x', 'xarray'],
  ['m', 'maple'],
];

function kindOf(given: string | boolean | undefined): Kind {
  if (typeof given !== 'string') return 'rbtree';
  const found = kinds.find(([letters]) => given.startsWith(letters));
  if (found !== undefined) return found[1];
  throw new DumpError('usage', `"${given}" is no kind of tree`, {
    hint: 'one of rbtree, xarray, radix, maple',
  });
}

function requestOf(kernel: Kernel, words: readonly string[], options: Options): Request {
  const kind = kindOf(options.type);
  const only = (option: string, owner: Kind): void => {
    if (options[option] === undefined || kind === owner) return;
    throw new DumpError('usage', `--${option} does not apply to a tree of type ${kind}`, {
      hint: `it is for --type ${owner}`,
    });
  };
  only('linear', 'rbtree');
  only('offset', 'rbtree');
  only('verbose', 'maple');
  const isNode = options.node === true;
  if (isNode && options.root !== undefined) {
    throw new DumpError('usage', '--root and --node do not go together', { hint: 'help tree' });
  }
  if (words.length === 0) {
    throw new DumpError('usage', 'tree needs the address of a root', {
      hint: 'tree -t rbtree -o vmap_area.rb_node vmap_area_root',
    });
  }
  const base = hexOrAddress(kernel, words.join(' '));
  const start = BigInt.asUintN(64, base + containedAt(kernel, options.root));
  return { kind, start, from: isNode ? 'node' : 'root' };
}

function* walk(
  kernel: Kernel,
  { kind, start, from }: Request,
  options: Options,
  onProblem: OnProblem,
): Generator<Entry | MapleNode> {
  const isNode = from === 'node';
  switch (kind) {
    case 'rbtree': {
      // A struct rb_root has one member.
      const root = isNode ? start : kernel.memory.u64(start);
      const offset = containedAt(kernel, options.offset);
      const order = options.linear === true ? 'left to right' : 'parents first';
      for (const { address, position } of walkRedBlack(kernel, root, order, onProblem)) {
        const entry = BigInt.asUintN(64, address - offset);
        yield { ...noIndex, address: entry, position };
      }
      return;
    }
    case 'maple': {
      const root = isNode ? start : mapleRoot(kernel, start);
      const isVerbose = options.verbose === true;
      for (const one of walkMaple(kernel, root, onProblem)) {
        if (one.kind === 'node') {
          if (isVerbose) yield one;
          continue;
        }
        const { entry, first, last, position } = one;
        const verbose = isVerbose ? mapleEntryLine(one) : undefined;
        yield { address: entry, index: first, last, position, verbose };
      }
      return;
    }
    default: {
      const head = isNode ? nodeEntry(kernel, start) : headOf(kernel, start);
      for (const { entry, index, position } of walkXarray(kernel, head, onProblem)) {
        yield { ...noIndex, address: entry, index, position };
      }
    }
  }
}

const noIndex = { index: undefined, last: undefined, verbose: undefined };

/** For maple trees crash counts, where the others have an index. */
function positionLine(kind: Kind, { index, position }: Entry, ordinal: number): string {
  if (index === undefined) return `  position: ${position}`;
  return `  index: ${kind === 'maple' ? ordinal : index}  position: ${position}`;
}

function entryJson({ address, index, last, position }: Entry, structs: EntryStructs): Json {
  return {
    address: jsonAddress(address),
    index: index === undefined ? null : String(index),
    last: last === undefined ? null : String(last),
    position,
    structs: structs.json(address),
  };
}

function nodeJson({ address, type, first, last, depth, parent, ...node }: MapleNode): Json {
  return {
    address: jsonAddress(address),
    ...{ type, depth, parent: jsonAddress(parent), first: String(first), last: String(last) },
    slots: node.slots.map(jsonAddress),
    pivots: node.pivots.map(String),
    gaps: node.gaps.map(String),
  };
}
