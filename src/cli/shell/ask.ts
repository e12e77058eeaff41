/** The words of a command that a shell was given, as they are meant: answered. */

import { commands } from '../../analyze/table.ts';
import { attempt } from '../../bytes/errors.ts';
import { answerCall } from '../analyze.ts';
import { parseCall } from '../call.ts';
import type { Settings } from '../handlers.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';

/** Where an answer goes; one without an end is shown as it comes. */
export type Open = (length: 'finite' | 'endless') => Output;

/** The result is the exit status. */
export async function askWords(
  session: Session,
  words: readonly string[],
  open: Open,
): Promise<number> {
  const { call, settings, status, out, err } = await parseCall(completed(session, words));
  if (err !== '') session.io.err(err);
  if (out !== '') {
    const output = open('finite');
    await output.write(out);
    await output.end();
  }
  if (call === undefined) return status;
  const output = open(call.command.endless ? 'endless' : 'finite');
  return answerCall(session, call, either(session.settings, settings), output);
}

/** As in crash, `struct` may be left out before the name of one, and stand as a star. */
function completed({ kernel }: Session, words: readonly string[]): readonly string[] {
  const [first = '', ...rest] = words;
  if (first === '*') return ['struct', ...rest];
  if (/^\*\w/.test(first)) return ['struct', first.slice(1), ...rest];
  if (first === 'help' || commands.some(({ name }) => name === first)) return words;
  const [name] = first.split('.');
  const isStruct = attempt(() => kernel.types.find(`struct ${name}`)) !== undefined;
  return isStruct ? ['struct', ...words] : words;
}

/** What was asked for on the command line or on the line of one command. */
function either(session: Settings, line: Settings): Settings {
  return {
    json: session.json || line.json,
    quiet: session.quiet || line.quiet,
    verbose: session.verbose || line.verbose,
    color: session.color && line.color,
    strict: session.strict || line.strict,
  };
}
