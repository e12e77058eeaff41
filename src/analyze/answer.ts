/** Commands for programs: a line of words in, an answer out. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Answer, Context, Missing, Question } from './command.ts';
import { type Call, callOf } from './parse.ts';
import { commands } from './table.ts';
import { splitWords } from './words.ts';

/**
 * What `tsdump analyze FILE LINE` answers: `answer(kernel, 'ps -u')`. Its `json()` is the `data` of
 * the document that --json prints (schemas: `docs/reference/json`), its `text()` are the lines;
 * `missing` says what should be there and is not, once one of them has been read to its end.
 * Throws DumpErrors: `usage` for a line that makes no sense, and those of the command.
 */
export async function answer(
  kernel: Kernel,
  line: string,
  context: Omit<Context, 'input'> = {},
): Promise<Answer> {
  const question = await questionOf(callOf(splitWords(line)));
  return ofDump(question.ask(kernel, { ...context, input: kernel.dump.name }), kernel);
}

/** Loads what a call needs. Throws `usage` for a wrapped command that cannot be. */
export async function questionOf({ command, words, options }: Call): Promise<Question> {
  const { run } = await command.load();
  const names = command.wraps === 'command' ? commands.map(({ name }) => name) : [];
  const at = words.findIndex((word) => names.includes(word));
  if (at < 0) {
    return { command, ask: (kernel, context) => run(kernel, words, options, context) };
  }
  const call = callOf(words.slice(at));
  if (call.command.wraps !== undefined && command.name !== 'repeat') {
    throw new DumpError('usage', `${command.name} cannot ask ${call.command.name}`);
  }
  const inner = await questionOf(call);
  const own = words.slice(0, at).map((word) => word.replace(/^\\/, ''));
  return {
    command,
    ask: (kernel, context) => run(kernel, own, options, { ...context, inner }),
  };
}

/**
 * A dump that is not whole, and a kernel whose own tables are not, make every answer doubtful: said
 * with each.
 */
export function ofDump(answer: Answer, { dump, tables }: Pick<Kernel, 'dump' | 'tables'>): Answer {
  const { incomplete } = dump;
  const cut =
    incomplete === undefined ? [] : [{ what: 'part of the dump', count: null, why: incomplete }];
  // What of the tables is lost is known when they have been asked.
  const missing = (): Missing[] => [...answer.missing, ...cut, ...tables.missing];
  return Object.create(answer, { missing: { get: missing } });
}
