/** `findsym` and `symbol`: what `sym` knows of names and addresses, in lcrash's table. */

import { jsonAddress, plural } from '../bytes/text.ts';
import type { Run } from './command.ts';
import { rule } from './lcrash-table.ts';
import { needWords } from './numbers.ts';
import { type Hit, lookedUp, symbolAnswer } from './sym.ts';

/** By nm's letter; capitals are global. */
const sections: Readonly<Record<string, string>> = {
  a: 'ABS', b: 'BSS', d: 'DATA', r: 'RODATA', t: 'TEXT', v: 'WEAK', w: 'WEAK',
}; // biome-ignore format: one list

const sectionWidth = 13;

export const run: Run = (kernel, words) => {
  needWords(words, 'findsym', 'names or addresses of symbols');
  const { hits, errors } = lookedUp(kernel, words);
  return symbolAnswer(hits, errors, () => table(hits));
};

function* table(hits: readonly Hit[]): Generator<string> {
  yield `${'ADDR'.padStart(18)} ${'OFFSET'.padStart(7)} ${'SECTION'.padEnd(sectionWidth)} NAME`;
  yield rule;
  for (const { symbol, offset } of hits) {
    const owner = symbol.module === undefined ? '' : `[${symbol.module}]`;
    const address = jsonAddress(symbol.address + BigInt(offset));
    const section = sectionOf(symbol.type).padEnd(sectionWidth);
    yield `${address} ${String(offset).padStart(7)} ${section} ${owner}${symbol.name}`;
  }
  yield rule;
  yield `${plural(hits.length, 'symbol')} found`;
}

function sectionOf(letter: string): string {
  const name = sections[letter.toLowerCase()] ?? letter;
  return `${letter === letter.toLowerCase() ? 'LOCAL' : 'GLOBAL'}_${name}`;
}
