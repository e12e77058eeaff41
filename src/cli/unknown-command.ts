/** A word where a command belongs: refused with the nearest one and the whole list. */

import type { Command } from 'commander';
import { suggestion } from '../bytes/suggest.ts';

export function unknownCommand(parent: Command, word: string): never {
  const names = parent.commands.map((child) => child.name());
  const known = `hint: one of ${names.join(', ')}, help`;
  return parent.error(`error: unknown command '${word}'${suggestion(word, names)}\n  ${known}`);
}
