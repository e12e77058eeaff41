/** A word where a command belongs: refused with the nearest one, and a list. */

import type { Command } from 'commander';
import { suggestion } from '../bytes/suggest.ts';

export function unknownCommand(parent: Command, word: string): never {
  const names = parent.commands.map((child) => child.name());
  // A long list would hide what was said.
  const list = names.length > 12 ? '`help` lists the commands' : `one of ${names.join(', ')}, help`;
  return parent.error(
    `error: unknown command '${word}'${suggestion(word, names)}\n  hint: ${list}`,
  );
}
