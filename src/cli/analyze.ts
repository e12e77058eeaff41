/**
 * `tsdump analyze FILE ...`: one command, or an overview. It opens the file that was named and no
 * other.
 */

import { setTimeout } from 'node:timers/promises';
import { ofDump, questionOf } from '../analyze/answer.ts';
import type { Answer, Question } from '../analyze/command.ts';
import type { Call } from '../analyze/parse.ts';
import { commands } from '../analyze/table.ts';
import { DumpError } from '../bytes/errors.ts';
import { printable } from '../bytes/text.ts';
import { completenessLines } from '../render/completeness.ts';
import { answerEnvelope } from '../render/envelope.ts';
import { exitStatus } from './exit-status.ts';
import { failureDocument, sayFailure } from './failure.ts';
import type { Settings } from './handlers.ts';
import type { InputFlags } from './input-options.ts';
import type { Io } from './io.ts';
import type { Output } from './output.ts';
import { saveBytes } from './save.ts';
import { Session } from './session.ts';
import { packageVersion } from './version.ts';

/** Characters that are collected before they are written: some hundred lines. */
const pieceLength = 16 * 1024;
/** What is found slowly is shown as it is found. */
const pieceMs = 100;

/**
 * Opens a file and hands it to `use`; the result is the exit status. What goes wrong is printed in
 * the form that was asked for, with `schema` naming the answer that is not there.
 */
export async function withSession(
  { file, flags = {} }: { readonly file: string; readonly flags?: InputFlags },
  schema: string,
  settings: Settings,
  io: Io,
  use: (session: Session) => number | Promise<number>,
): Promise<number> {
  const session = new Session(file, settings, io, flags);
  try {
    await session.open();
    return await use(session);
  } catch (error) {
    return sayFailure(session.blame(error), { file, schema, settings, io });
  } finally {
    session.sayPhases(settings);
    session.close();
  }
}

/** Runs one command and prints its answer to `output`; the result is the exit status. */
export async function answerCall(
  session: Session,
  call: Call,
  settings: Settings = session.settings,
  output: Output = session.io.open('on'),
): Promise<number> {
  const { file, io, phases } = session;
  const { name, schema } = call.command;
  try {
    const question = await phases.awaited('loading of the command', () => questionOf(call));
    let last: Answer;
    let isRead: boolean;
    do {
      [last, isRead] = await phases.awaited(name, () =>
        answerOnce(session, question, settings, output),
      );
      if (last.again !== undefined) await setTimeout(last.again * 1000);
    } while (isRead && last.again !== undefined);
    const status = await output.end();
    // Of what nobody read to its end nothing is known.
    if (!isRead) return status;
    const partial = last.missing.length > 0;
    // Whoever read it failed: to say that it is complete would be no help.
    const isWorthSaying = partial || (!settings.json && status === 0);
    if (!settings.quiet && isWorthSaying) {
      for (const line of completenessLines(last)) io.err(`${line}\n`);
    }
    return Math.max(status, partial && settings.strict ? exitStatus.absent : exitStatus.done);
  } catch (thrown) {
    const error = session.blame(thrown);
    // What the answer was for gets the document that says why there is none.
    let document = '';
    if (error instanceof DumpError) document = failureDocument(error, { file, schema, settings });
    if (document !== '') await output.write(document);
    await output.end();
    return sayFailure(error, { file, schema, settings: { ...settings, json: false }, io });
  } finally {
    session.sayPhases(settings);
  }
}

/** The answer, and whether all of it was read. */
async function answerOnce(
  session: Session,
  question: Question,
  settings: Settings,
  output: Output,
): Promise<[Answer, boolean]> {
  const { kernel, context, file } = session;
  const found = ofDump(question.ask(kernel, context), kernel);
  if (found.saves !== undefined) saveBytes(found.saves);
  let isRead = true;
  if (settings.json) {
    const origin = {
      version: packageVersion(),
      schema: found.schema ?? question.command.schema,
      input: file,
    };
    isRead = await output.write(`${JSON.stringify(answerEnvelope(origin, found))}\n`);
  } else {
    const lines = found.text()[Symbol.iterator]();
    for (let piece = take(lines); piece !== '' && isRead; piece = take(lines)) {
      isRead = await output.write(piece);
    }
  }
  session.context = { ...context, ...found.settles };
  return [found, isRead];
}

/** Lines until they are worth writing; empty at the end. */
function take(lines: Iterator<string>): string {
  let text = '';
  const end = Date.now() + pieceMs;
  while (text.length < pieceLength && (text === '' || Date.now() < end)) {
    const next = lines.next();
    if (next.done === true) break;
    // Names of tasks, text in memory: none of it is to move the cursor. A record of the log may
    // have several lines.
    for (const line of next.value.split('\n')) text += `${printable(line)}\n`;
  }
  return text;
}

/** The answer to no question: what crashed, and where. */
export const overviewCommands: readonly string[] = ['sys', 'bt'];

export async function overview(session: Session): Promise<number> {
  let worst: number = exitStatus.done;
  for (const name of overviewCommands) {
    const command = commands.find((candidate) => candidate.name === name)!;
    if (name !== 'sys' && !session.settings.json) session.io.out('\n');
    const call = { command, words: [], options: {} };
    worst = Math.max(worst, await answerCall(session, call));
  }
  return worst;
}
