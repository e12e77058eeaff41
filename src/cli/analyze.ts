/**
 * `tsdump analyze FILE ...`: one command, an overview, or commands from a pipe. It opens the file
 * that was named and no other.
 */

import type { Command as AnalyzeCommand, Answer } from '../analyze/command.ts';
import { commands } from '../analyze/table.ts';
import { DumpError } from '../bytes/errors.ts';
import type { Dump } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { completenessLines } from '../render/completeness.ts';
import { answerEnvelope } from '../render/envelope.ts';
import { exitStatus } from './exit-status.ts';
import { sayFailure } from './failure.ts';
import type { AnalyzeRequest, Settings } from './handlers.ts';
import { openVmcore } from './images.ts';
import type { Io } from './io.ts';
import { packageVersion } from './version.ts';

/** A command with its words, ready to run. */
export interface Call {
  readonly command: AnalyzeCommand;
  readonly words: readonly string[];
  readonly options: AnalyzeRequest['options'];
}

/** An opened dump and how its answers are to look. */
export interface Session {
  readonly file: string;
  readonly dump: Dump;
  readonly kernel: Kernel;
  readonly settings: Settings;
  readonly io: Io;
}

/**
 * Opens `file` and hands it to `use`; the result is the exit status. What goes wrong is printed in
 * the form that was asked for, with `schema` naming the answer that is not there.
 */
export async function withSession(
  file: string,
  schema: string,
  settings: Settings,
  io: Io,
  use: (session: Session) => number | Promise<number>,
): Promise<number> {
  let dump: Dump | undefined;
  try {
    dump = await openVmcore(file);
    return await use({ file, dump, kernel: openKernel(dump), settings, io });
  } catch (error) {
    return sayFailure(blamed(error, dump), { file, schema, settings, io });
  } finally {
    dump?.close();
  }
}

/** Runs one command and prints its answer; the result is the exit status. */
export async function answerCall(session: Session, call: Call): Promise<number> {
  const { file, settings, io } = session;
  const { schema } = call.command;
  try {
    const { run } = await call.command.load();
    const found = withDump(run(session.kernel, call.words, call.options, file), session.dump);
    if (settings.json) {
      const origin = { version: packageVersion(), schema, input: file };
      io.out(`${JSON.stringify(answerEnvelope(origin, found))}\n`);
    } else {
      io.out(textOf(found));
    }
    const partial = found.missing.length > 0;
    if (!settings.quiet && (partial || !settings.json)) {
      for (const line of completenessLines(found)) io.err(`${line}\n`);
    }
    return partial && settings.strict ? exitStatus.absent : exitStatus.done;
  } catch (error) {
    return sayFailure(blamed(error, session.dump), { file, schema, settings, io });
  }
}

/** The answer to no question: what crashed, and where. */
export async function overview(session: Session): Promise<number> {
  let worst: number = exitStatus.done;
  for (const name of ['sys', 'bt']) {
    const command = commands.find((candidate) => candidate.name === name)!;
    if (name !== 'sys' && !session.settings.json) session.io.out('\n');
    const status = await answerCall(session, { command, words: [], options: {} });
    worst = Math.max(worst, status);
  }
  return worst;
}

/** A dump that is not whole makes every answer from it doubtful: said with each. */
function withDump(answer: Answer, dump: Dump): Answer {
  if (dump.incomplete === undefined) return answer;
  const missing = { what: 'part of the dump', count: null, why: dump.incomplete };
  return { ...answer, missing: [...answer.missing, missing] };
}

/** What a cut dump lacks was perhaps behind the cut: said, and a page is not called absent. */
function blamed(error: unknown, dump: Dump | undefined): unknown {
  const incomplete = dump?.incomplete;
  if (!(error instanceof DumpError) || error.code !== 'absent') return error;
  if (incomplete === undefined) return error;
  const { message, where, cause } = error;
  const code = where.pfn === undefined ? error.code : 'truncated';
  const advice = error.hint === undefined ? '' : `${error.hint}; `;
  return new DumpError(code, message, { where, hint: `${advice}${incomplete}`, cause });
}

function textOf(answer: Answer): string {
  let text = '';
  for (const line of answer.text()) text += `${line}\n`;
  return text;
}
