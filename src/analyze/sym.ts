/** `sym`: names to addresses and back, from the dump's own kallsyms and modules. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { KernelSymbol } from '../linux/symbols.ts';
import { type Answer, atMostOne, type Json, type Missing, type Options } from './command.ts';

interface Hit {
  readonly symbol: KernelSymbol;
  readonly offset: number;
}

/** So many names of which the wanted one is a part are offered in a hint. */
const alternativesShown = 5;

export function run(kernel: Kernel, words: readonly string[], options: Options): Answer {
  atMostOne(options, ['query', 'list', 'module']);
  const { query, list, module } = options;
  if (typeof query === 'string') {
    return answer(
      select(kernel, ({ name }) => name.includes(query)),
      [],
    );
  }
  if (typeof module === 'string') return answer(ofModule(kernel, module), []);
  if (list === true)
    return answer(
      select(kernel, () => true),
      [],
    );
  if (words.length === 0) {
    throw new DumpError('usage', 'sym needs a symbol, an address or an option', {
      hint: 'sym -q TEXT lists the symbols that contain a text',
    });
  }
  return lookUp(kernel, words);
}

function lookUp(kernel: Kernel, words: readonly string[]): Answer {
  const hits: Hit[] = [];
  const errors: DumpError[] = [];
  for (const word of words) {
    const found = find(kernel, word);
    hits.push(...found);
    if (found.length === 0) errors.push(notFound(kernel, word));
  }
  if (hits.length === 0) throw errors[0]!;
  return answer(hits, errors);
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

function ofModule(kernel: Kernel, module: string): Hit[] {
  const hits = select(kernel, (symbol) => symbol.module === module);
  if (hits.length === 0) {
    throw new DumpError('absent', `no module "${module}" with symbols is loaded`, {
      hint: '`mod` lists the modules',
    });
  }
  return hits;
}

function answer(hits: readonly Hit[], errors: readonly DumpError[]): Answer {
  const missing: Missing[] = errors.map((error) => ({
    what: 'symbols',
    count: 1,
    why: error.message,
  }));
  return {
    json: () => ({ symbols: hits.map(hitJson) }),
    *text() {
      for (const hit of hits) yield hitLine(hit);
    },
    counted: plural(hits.length, 'symbol'),
    missing,
    errors,
  };
}

/** `ffffffff81000000 (T) _stext`, `ffffffffc038b167 (t) deref+0x25 [labcrash]`. */
function hitLine({ symbol, offset }: Hit): string {
  const place = offset === 0 ? '' : `+0x${offset.toString(16)}`;
  const owner = symbol.module === undefined ? '' : ` [${symbol.module}]`;
  const address = hex16(symbol.address + BigInt(offset)).replace(/^0+(?=.)/, '');
  return `${address} (${symbol.type}) ${symbol.name}${place}${owner}`;
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
