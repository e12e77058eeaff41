/**
 * The whole command line: words in, exit status out. What is thrown ends here, as one line and the
 * status of `exit-status.ts`.
 */

import { CommanderError } from 'commander';
import { DumpError } from '../bytes/errors.ts';
import { exitStatus } from './exit-status.ts';
import { sayError, sayFailure } from './failure.ts';
import type {
  AnalyzeRequest,
  CaptureFlags,
  CompareRequest,
  ConvertFlags,
  RepairFlags,
  ScenarioRequest,
  ServeFlags,
  Settings,
} from './handlers.ts';
import { endOnFailingOutput, type Io, processIo } from './io.ts';
import { commandTree, createProgram, type TakenLine, takeFile } from './program.ts';
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
  if (argv[0] === 'completion' && argv[1] === 'query') {
    const { answerQuery } = await import('./completion/command.ts');
    return answerQuery(commandTree(packageVersion()), argv.slice(2), plain);
  }
  const line = takeFile(argv);
  let status: number = exitStatus.done;
  const program = createProgram({
    version: packageVersion(),
    out: (text) => plain.out(text),
    err: (text) => plain.err(text),
    welcome: () => plain.out(welcome),
    analyze: async (request, settings) => {
      status = await analyze(line, request, settings, processIo(settings));
    },
    info: async (request, settings) => {
      const { informOf } = await import('./info.ts');
      status = await informOf(request, settings, processIo(settings));
    },
    check: async (request, settings) => {
      const { checkFiles } = await import('./check.ts');
      status = await checkFiles(request, settings, processIo(settings));
    },
    capture: async (flags, command, settings) => {
      status = await capture(flags, command, settings, processIo(settings));
    },
    save: async (images, flags, settings) => {
      const { saveDisks } = await import('./save-disk.ts');
      status = await saveDisks(images, flags, settings, processIo(settings));
    },
    convert: async (files, flags, settings) => {
      status = await convert(files, flags, settings, processIo(settings));
    },
    repair: async (files, flags, settings) => {
      status = await repair(files, flags, settings, processIo(settings));
    },
    compare: async (request, settings) => {
      status = await compare(request, settings, processIo(settings));
    },
    scenario: async (request, settings) => {
      status = await scenario(request, settings, processIo(settings));
    },
    serve: async (flags, settings) => {
      status = await serve(flags, settings, processIo(settings));
    },
    completion: async (shell) => {
      const { printCompletion } = await import('./completion/command.ts');
      status = printCompletion(shell, plain);
    },
  });
  try {
    await program.parseAsync(line.words, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    }
    return sayError(error, argv.includes('--verbose') ? 'stack' : 'line', plain);
  }
}

async function analyze(
  { file, scriptWords }: TakenLine,
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
  const { answerCall, withSession } = await import('./analyze.ts');
  const { command, input: flags } = request;
  const named = { file, flags };
  if (command !== undefined) {
    return withSession(named, command.schema, settings, io, (session) =>
      answerCall(session, { ...request, command }),
    );
  }
  const { script, emitTypes, force } = request.options;
  // What these print is no document, and neither are their errors.
  const plain = { ...settings, json: false };
  if (typeof script === 'string') {
    const { runScript } = await import('./script.ts');
    const asked = { file: script, words: scriptWords, json: settings.json };
    return withSession(named, 'script', plain, io, (session) => runScript(session, asked));
  }
  if (emitTypes !== undefined) {
    const { emitTypes: emit } = await import('./emit-types.ts');
    const output = typeof emitTypes === 'string' ? emitTypes : undefined;
    const overwrite = force === true ? 'overwrite' : 'keep';
    return withSession(named, 'types', plain, io, (session) =>
      emit(session, { file: output, overwrite }),
    );
  }
  const { answerAsked } = await import('./shell/lines.ts');
  return withSession(named, 'sys/1', settings, io, (session) =>
    answerAsked(session, request.options),
  );
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
  if (flags.explainNeeds !== undefined) {
    const { explainNeeds } = await import('./needs.ts');
    try {
      return await explainNeeds(flags.explainNeeds, flags, settings, io);
    } catch (error) {
      return sayFailure(error, { file: flags.machine ?? null, schema: 'needs/1', settings, io });
    }
  }
  const { captureDump } = await import('./capture.ts');
  try {
    return await captureDump(flags, command, settings, io);
  } catch (error) {
    return sayFailure(error, { file: flags.machine ?? null, schema: 'capture/1', settings, io });
  }
}

async function convert(
  files: readonly string[],
  flags: ConvertFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const { convertFiles } = await import('./convert.ts');
  try {
    return await convertFiles(files, flags, settings, io);
  } catch (error) {
    return sayFailure(error, { file: files[0] ?? null, schema: 'convert/1', settings, io });
  }
}

async function repair(
  files: readonly string[],
  flags: RepairFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const { repairFiles } = await import('./repair.ts');
  try {
    return await repairFiles(files, flags, settings, io);
  } catch (error) {
    return sayFailure(error, { file: files[0] ?? null, schema: 'repair/1', settings, io });
  }
}

async function serve(flags: ServeFlags, settings: Settings, io: Io): Promise<number> {
  const { serveDumps } = await import('./serve.ts');
  try {
    return await serveDumps(flags, settings, io);
  } catch (error) {
    return sayFailure(error, { file: null, schema: 'serve/1', settings, io });
  }
}

async function compare(request: CompareRequest, settings: Settings, io: Io): Promise<number> {
  const { answerCompare } = await import('./compare.ts');
  try {
    return await answerCompare(request, settings, io);
  } catch (error) {
    return sayFailure(error, { file: null, schema: 'compare/1', settings, io });
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
