/**
 * The whole command line: words in, exit status out. What is thrown ends here, as one line and the
 * status of `exit-status.ts`.
 */

import { CommanderError } from 'commander';
import { DumpError, reasonOf } from '../bytes/errors.ts';
import { errorLines } from '../render/errors.ts';
import { exitStatus, exitStatusOf } from './exit-status.ts';
import { sayFailure } from './failure.ts';
import type { AnalyzeRequest, CaptureFlags, ScenarioRequest, Settings } from './handlers.ts';
import { endOnFailingOutput, type Io, processIo } from './io.ts';
import { createProgram, takeFile } from './program.ts';
import { packageVersion } from './version.ts';

const welcome = `tsdump captures and analyses Linux kernel crash dumps.

  tsdump analyze vmcore            what crashed, and where: the panic and its backtrace
  tsdump analyze vmcore ps -u      user tasks; also log, bt, mod, sym, sys; --json for programs
  tsdump capture                   crash a real machine's memory again and capture it

tsdump --help lists everything.
`;

/** Runs the command line `argv` (without node and script) in this process. */
export async function main(argv: readonly string[]): Promise<void> {
  endOnFailingOutput();
  process.exitCode = await run(argv);
}

async function run(argv: readonly string[]): Promise<number> {
  const plain = processIo({ quiet: false, color: true });
  const { words, file } = takeFile(argv);
  let status: number = exitStatus.done;
  const program = createProgram({
    version: packageVersion(),
    out: (text) => plain.out(text),
    err: (text) => plain.err(text),
    welcome: () => plain.out(welcome),
    analyze: async (request, settings) => {
      status = await analyze(file, request, settings, processIo(settings));
    },
    capture: async (flags, command, settings) => {
      status = await capture(flags, command, settings, processIo(settings));
    },
    scenario: async (request, settings) => {
      status = await scenario(request, settings, processIo(settings));
    },
  });
  try {
    await program.parseAsync(words, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    }
    return sayError(error, argv.includes('--verbose') ? 'stack' : 'line', plain);
  }
}

function sayError(error: unknown, detail: 'line' | 'stack', io: Io): number {
  if (error instanceof DumpError) {
    io.err(`${errorLines(error).join('\n')}\n`);
  } else {
    const reason = reasonOf(error).split('\n')[0];
    io.err(`tsdump: internal error: ${reason} (--verbose shows where)\n`);
  }
  if (detail === 'stack' && error instanceof Error) io.err(`${error.stack}\n`);
  return exitStatusOf(error);
}

async function analyze(
  file: string | undefined,
  request: AnalyzeRequest,
  settings: Settings,
  io: Io,
): Promise<number> {
  // An unset variable in a script gives an empty name.
  if (file === undefined || file === '') {
    throw new DumpError('usage', 'no dump file was named', {
      hint: 'tsdump analyze FILE [command]',
    });
  }
  const { answerCall, overview, withSession } = await import('./analyze.ts');
  const { command } = request;
  if (command !== undefined) {
    return withSession(file, command.schema, settings, io, (session) =>
      answerCall(session, { ...request, command }),
    );
  }
  const { answerPipe, commandsComeFromPipe } = await import('./pipe.ts');
  const answer = commandsComeFromPipe() ? answerPipe : overview;
  return withSession(file, 'sys/1', settings, io, answer);
}

async function capture(
  flags: CaptureFlags,
  command: string,
  settings: Settings,
  io: Io,
): Promise<number> {
  if (flags.list === true) {
    const { listChoices } = await import('./choices.ts');
    return listChoices(settings, io);
  }
  const { captureDump } = await import('./capture.ts');
  try {
    return await captureDump(flags, command, settings, io);
  } catch (error) {
    return sayFailure(error, { file: flags.machine ?? null, schema: 'capture/1', settings, io });
  }
}

async function scenario(request: ScenarioRequest, settings: Settings, io: Io): Promise<number> {
  const { answerScenario } = await import('./scenario.ts');
  try {
    return answerScenario(request, settings, io);
  } catch (error) {
    return sayFailure(error, { file: null, schema: 'scenarios/1', settings, io });
  }
}
