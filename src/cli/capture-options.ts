/** The words of `tsdump capture` made into what a method takes. Throws `usage`. */

import { existsSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import type { CompressionName } from '../codec/types.ts';
import { type DumpLevelName, dumpLevelBits } from '../linux/pages.ts';

/** `--level 31`, `--level user,free`: makedumpfile's filter bits. */
export function parseLevel(text: string): number {
  if (/^\d+$/.test(text)) {
    const level = Number(text);
    if (level <= 31) return level;
    throw new DumpError('usage', `--level ${text}: the highest level is 31`);
  }
  const names = Object.keys(dumpLevelBits) as DumpLevelName[];
  return text.split(',').reduce((level, word) => {
    return level | dumpLevelBits[oneOf('--level', word, names)];
  }, 0);
}

/** `--compress gzip` is zlib. */
export function parseCompression(text: string, known: readonly CompressionName[]): CompressionName {
  return oneOf('--compress', text === 'gzip' ? 'zlib' : text, known);
}

/** `word` where it is one of `known`; otherwise `usage` with the list and a suggestion. */
export function oneOf<T extends string>(option: string, word: string, known: readonly T[]): T {
  const found = known.find((name) => name === word);
  if (found !== undefined) return found;
  throw new DumpError('usage', `${option}: unknown "${word}"${suggestion(word, known)}`, {
    hint: `one of ${known.join(', ')}`,
  });
}

/** `mkdump.lkcd`, else `mkdump-2.lkcd` and so on: the first name that is free. */
export function freeName(stem: string, extension: string): string {
  for (let number = 1; ; number++) {
    const name = `${stem}${number === 1 ? '' : `-${number}`}.${extension}`;
    if (!existsSync(name)) return name;
  }
}
