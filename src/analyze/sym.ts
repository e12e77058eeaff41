/** `sym`: names to addresses and back, from the dump's own kallsyms and modules. */

import { attempt, DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { KernelModule } from '../linux/modules.ts';
import type { KernelSymbol } from '../linux/symbols.ts';
import { hex } from './columns.ts';
import {
  type Answer,
  atMostOne,
  type Json,
  type Missing,
  type Radix,
  type Run,
} from './command.ts';

export interface Hit {
  readonly symbol: KernelSymbol;
  readonly offset: number;
}

/** So many names of which the wanted one is a part are offered in a hint. */
const alternativesShown = 5;

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['query', 'list', 'module', 'modules']);
  const { query, list, module, modules, next, previous } = options;
  const radix = context.radix ?? 'decimal';
  const lines = (hits: readonly Hit[]) => (): Iterable<string> => hitLines(hits, radix);
  if (typeof query === 'string') {
    const hits = select(kernel, ({ name }) => name.includes(query));
    return symbolAnswer(hits, [], lines(hits));
  }
  if (modules === true) return modulesAnswer(kernel, kernel.modules.modules);
  if (typeof module === 'string') return modulesAnswer(kernel, [moduleNamed(kernel, module)]);
  if (list === true) return everySymbol(kernel, radix);
  if (words.length === 0) {
    throw new DumpError('usage', 'sym needs a symbol, an address or an option', {
      hint: 'sym -q TEXT lists the symbols that contain a text',
    });
  }
  const { hits, errors } = lookedUp(kernel, words);
  const shown = hits.flatMap((hit) => [
    ...(previous === true ? neighbour(kernel, hit.symbol.address - 1n) : []),
    hit,
    ...(next === true ? neighbour(kernel, endOf(kernel, hit)) : []),
  ]);
  return symbolAnswer(shown, errors, lines(shown));
};

/** A line is made when somebody reads it: of some hundred thousand most want the first. */
function everySymbol(kernel: Kernel, radix: Radix): Answer {
  let count = 0;
  function* hits(): Generator<Hit> {
    count = 0;
    for (const symbol of kernel.symbols.all()) {
      count++;
      yield { symbol, offset: 0 };
    }
  }
  return {
    json: () => ({ symbols: Array.from(hits(), hitJson) }),
    text: () => hitLines(hits(), radix),
    get counted() {
      return plural(count, 'symbol');
    },
    missing: [],
  };
}

function endOf(kernel: Kernel, { symbol }: Hit): bigint {
  return symbol.address + BigInt(kernel.symbols.sizeOf(symbol));
}

/** The symbol that covers an address beside another one. */
function neighbour(kernel: Kernel, address: bigint): Hit[] {
  const found = kernel.symbols.at(address);
  return found === undefined ? [] : [{ symbol: found.symbol, offset: 0 }];
}

/** The symbols that the words name, or that they are addresses in. Throws where there is none. */
export function lookedUp(
  kernel: Kernel,
  words: readonly string[],
): { readonly hits: readonly Hit[]; readonly errors: readonly DumpError[] } {
  const hits: Hit[] = [];
  const errors: DumpError[] = [];
  for (const word of words) {
    const found = find(kernel, word);
    hits.push(...found);
    if (found.length === 0) errors.push(notFound(kernel, word));
  }
  if (hits.length === 0) throw errors[0]!;
  return { hits, errors };
}

/** A name comes before an address, as "add" is both. */
function find(kernel: Kernel, word: string): Hit[] {
  const named = kernel.symbols.lookupAll(word);
  if (named.length > 0) return named.map((symbol) => ({ symbol, offset: 0 }));
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(word)) return [];
  const at = kernel.symbols.at(BigInt(`0x${word.replace(/^0x/i, '')}`));
  return at === undefined ? [] : [at];
}

function notFound(kernel: Kernel, word: string): DumpError {
  const alternatives: string[] = [];
  for (const { name } of kernel.symbols.all()) {
    if (!name.includes(word)) continue;
    alternatives.push(name);
    if (alternatives.length === alternativesShown) break;
  }
  return new DumpError('absent', `symbol not found: ${word}`, {
    hint: alternatives.length === 0 ? undefined : `there is ${alternatives.join(', ')}`,
  });
}

function select(kernel: Kernel, wanted: (symbol: KernelSymbol) => boolean): Hit[] {
  const hits: Hit[] = [];
  for (const symbol of kernel.symbols.all()) {
    if (wanted(symbol)) hits.push({ symbol, offset: 0 });
  }
  return hits;
}

function moduleNamed(kernel: Kernel, name: string): KernelModule {
  const found = kernel.modules.modules.find((module) => module.name === name);
  if (found !== undefined) return found;
  throw new DumpError('absent', `no module "${name}" is loaded`, {
    hint: '`mod` lists the modules',
    cause: kernel.modules.problem,
  });
}

/** Symbols between the bounds of their modules. */
function modulesAnswer(kernel: Kernel, wanted: readonly KernelModule[]): Answer {
  const errors: DumpError[] = [];
  const sorted = [...wanted].sort((a, b) => (a.base < b.base ? -1 : 1));
  const parts = sorted.map((module) => {
    const symbols = attempt(
      () => module.symbols(),
      (problem) => errors.push(problem),
    );
    return { module, hits: (symbols ?? []).map((symbol) => ({ symbol, offset: 0 })) };
  });
  const { problem } = kernel.modules;
  if (problem !== undefined) errors.push(problem);
  const hits = parts.flatMap((part) => part.hits);
  return symbolAnswer(hits, errors, function* () {
    for (const { module, hits: own } of parts) {
      yield `${hex(module.base)} MODULE START: ${module.name}`;
      for (const { symbol } of own) yield `${hex(symbol.address)} (${symbol.type}) ${symbol.name}`;
      yield `${hex(module.base + BigInt(module.size))} MODULE END: ${module.name}`;
    }
  });
}

export function symbolAnswer(
  hits: readonly Hit[],
  errors: readonly DumpError[],
  text: () => Iterable<string>,
): Answer {
  const missing: Missing[] = errors.map((error) => ({
    what: 'symbols',
    count: 1,
    why: error.message,
  }));
  return {
    json: () => ({ symbols: hits.map(hitJson) }),
    text,
    counted: plural(hits.length, 'symbol'),
    missing,
    errors,
  };
}

/** `ffffffff81000000 (T) _stext`, `ffffffffc038b167 (t) deref+37 [labcrash]`. */
function* hitLines(hits: Iterable<Hit>, radix: Radix): Generator<string> {
  for (const { symbol, offset } of hits) {
    const distance = radix === 'decimal' ? String(offset) : `0x${offset.toString(16)}`;
    const place = offset === 0 ? '' : `+${distance}`;
    const owner = symbol.module === undefined ? '' : ` [${symbol.module}]`;
    const address = hex(symbol.address + BigInt(offset));
    yield `${address} (${symbol.type}) ${symbol.name}${place}${owner}`;
  }
}

function hitJson({ symbol, offset }: Hit): Json {
  return {
    name: symbol.name,
    address: jsonAddress(symbol.address + BigInt(offset)),
    offset,
    type: symbol.type,
    module: symbol.module ?? null,
  };
}
