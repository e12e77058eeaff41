/** `alias`: short words for commands. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Aliases, Answer, Context, Options } from './command.ts';

/** Those that crash has, as far as what they stand for is here. */
export const builtinAliases: Aliases = new Map([
  ['man', 'help'],
  ['?', 'help'],
  ['sf', 'set scroll off'],
  ['sn', 'set scroll on'],
  ['hex', 'set radix 16'],
  ['dec', 'set radix 10'],
  ['px', 'p -x'],
  ['pd', 'p -d'],
  ['for', 'foreach'],
  ['dmesg', 'log'],
  ['lsmod', 'mod'],
  ['last', 'ps -l'],
]);

/** The words that an alias at their beginning stands for; itself is not looked up again. */
export function expandAlias(aliases: Aliases | undefined, line: string): string {
  const [, word = '', rest = ''] = /^\s*(\S+)(.*)$/s.exec(line) ?? [];
  const meaning = aliases?.get(word) ?? builtinAliases.get(word);
  return meaning === undefined ? line : `${meaning}${rest}`;
}

export function run(
  _: Kernel,
  words: readonly string[],
  __: Options,
  { aliases = new Map() }: Context,
): Answer {
  const [name, ...command] = words;
  if (name === undefined || command.length === 0) return list(aliases, name);
  if (!/^[^\s|;>!"']+$/.test(name)) {
    throw new DumpError('usage', `"${name}" cannot be an alias`, { hint: 'one word' });
  }
  const meaning = command.join(' ').trim();
  const changed = new Map(aliases);
  if (meaning === '') changed.delete(name);
  else changed.set(name, meaning);
  return { ...list(changed, meaning === '' ? undefined : name), settles: { aliases: changed } };
}

/** All of them, or `one`. Throws `absent` where there is none of this name. */
function list(aliases: Aliases, one: string | undefined): Answer {
  const all = [
    ...[...builtinAliases].map(([name, command]) => ({ origin: 'builtin', name, command })),
    ...[...aliases].map(([name, command]) => ({ origin: 'runtime', name, command })),
  ];
  const shown = one === undefined ? all : all.filter(({ name }) => name === one).slice(-1);
  if (shown.length === 0) {
    throw new DumpError('absent', `there is no alias "${one}"`, { hint: '`alias` lists them' });
  }
  return {
    json: () => ({ aliases: shown }),
    *text() {
      yield 'ORIGIN   ALIAS    COMMAND';
      for (const { origin, name, command } of shown) {
        yield `${origin.padEnd(8)} ${name.padEnd(8)} ${command}`;
      }
    },
    missing: [],
  };
}
