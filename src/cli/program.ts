/**
 * The command line as a tree: parsing, help, suggestions and manual pages come from it. It imports
 * no implementation, so that `tsdump analyze vmcore log` loads what `log` needs and no more.
 */

import { Command, type OptionValues } from 'commander';
import type { Command as AnalyzeCommand } from '../analyze/command.ts';
import { commands } from '../analyze/table.ts';
import { verdictClasses } from '../trial/verdict-classes.ts';
import { suggestion } from './suggest.ts';

/** The options that every command takes, anywhere on the line. */
export interface Settings {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
  readonly strict: boolean;
}

export interface AnalyzeRequest {
  /** undefined: the overview, or commands from a pipe. */
  readonly command: AnalyzeCommand | undefined;
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

export interface CaptureFlags {
  readonly method: string;
  readonly machine?: string;
  readonly output?: string;
  readonly level?: string;
  readonly compress?: string;
  readonly expect?: string;
  readonly force?: boolean;
}

/** What the words lead to. Each may be asynchronous; parsing waits for it. */
export interface Handlers {
  readonly version: string;
  out(text: string): void;
  err(text: string): void;
  welcome(): void | Promise<void>;
  analyze(request: AnalyzeRequest, settings: Settings): void | Promise<void>;
  capture(options: CaptureFlags, settings: Settings): void | Promise<void>;
}

type Example = readonly [words: string, meaning: string];

const examplesOfCommands = new WeakMap<Command, readonly Example[]>();

/** The examples at the end of a command's help. */
export function examplesOf(command: Command): readonly Example[] {
  return examplesOfCommands.get(command) ?? [];
}

function addExamples(command: Command, examples: readonly Example[]): Command {
  examplesOfCommands.set(command, examples);
  const width = Math.max(...examples.map(([words]) => words.length));
  const rows = examples.map(([words, meaning]) => `  ${words.padEnd(width)}  ${meaning}`);
  return command.addHelpText('after', `\nExamples:\n${rows.join('\n')}\n`);
}

export function createProgram(handlers: Handlers): Command {
  const program = new Command('tsdump')
    .description(
      'Captures and analyses Linux kernel crash dumps. A dump is opened with nothing but itself: ' +
        'no debug symbols, no kernel file.',
    )
    .option('--json', 'one JSON document per command on standard output')
    .option('--quiet', 'no notes on standard error, errors only')
    .option('--verbose', 'say more, with stacks of internal errors')
    .option('--no-color', 'no colours (also: NO_COLOR in the environment)')
    .option('--strict', 'a partial answer ends with exit status 5')
    .version(handlers.version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      commandUsage: (command) => usageOf(command),
    })
    .configureOutput({
      writeOut: (text) => handlers.out(text),
      writeErr: (text) => handlers.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'tsdump: usage: ')),
    });
  const settings = (): Settings => settingsOf(program.opts());
  addAnalyze(program, handlers, settings);
  addCapture(program, handlers, settings);
  // What `help` does not know it would answer with everything: it is refused like a command.
  program.addHelpText('beforeAll', ({ error, command }) => {
    return error ? unknownCommand(command, command.args[1]!) : '';
  });
  // Last, as commands inherit it: an unknown word is ours to refuse, with a suggestion.
  return program.allowExcessArguments().action(() => {
    if (program.args.length > 0) unknownCommand(program, program.args[0]!);
    return handlers.welcome();
  });
}

function sentence(summary: string): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}.`;
}

function settingsOf(values: OptionValues): Settings {
  return {
    json: values.json === true,
    quiet: values.quiet === true,
    verbose: values.verbose === true,
    color: values.color !== false,
    strict: values.strict === true,
  };
}

/** `tsdump analyze FILE ps [options] [task...]`: the file stands before the command. */
function usageOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) {
    names.unshift(at.name() === 'analyze' ? 'analyze FILE' : at.name());
  }
  return `${names.join(' ')} ${command.usage()}`;
}

function unknownCommand(parent: Command, word: string): never {
  const names = parent.commands.map((child) => child.name());
  const known = `hint: one of ${names.join(', ')}, help`;
  return parent.error(`error: unknown command '${word}'${suggestion(word, names)}\n  ${known}`);
}

function addAnalyze(program: Command, handlers: Handlers, settings: () => Settings): void {
  const analyze = program
    .command('analyze')
    .summary('ask a crash dump: sys, log, ps, bt, mod, sym')
    .description(
      'Answers questions about the crash dump FILE in the columns of crash, or as JSON. It opens ' +
        'FILE and nothing else. Without a command it prints an overview; commands may also come ' +
        'from a pipe, one a line.',
    )
    .usage('[command] [options]')
    .helpCommand('help [command]', 'what a command does and takes')
    .action(async () => {
      if (analyze.args.length > 0) unknownCommand(analyze, analyze.args[0]!);
      await handlers.analyze({ command: undefined, words: [], options: {} }, settings());
    });
  addExamples(analyze, [
    ['tsdump analyze vmcore', 'what crashed, and where'],
    ['tsdump analyze vmcore log -T', 'the kernel log with dates'],
    ['tsdump analyze vmcore bt -a --json', 'every CPU, for a program'],
    ['echo "ps -u" | tsdump analyze vmcore', 'commands from a pipe'],
  ]);
  for (const command of commands) {
    const node = analyze
      .command(command.name)
      .summary(command.summary)
      .description(`${sentence(command.summary)}\n\n${command.description.join('\n\n')}`);
    const { operands } = command;
    if (operands !== undefined) node.argument(`[${operands.name}...]`, operands.description);
    for (const option of command.options) node.option(option.flags, option.description);
    const shown = command.examples.map(
      ([words, meaning]) => [`tsdump analyze vmcore ${words}`, meaning] as const,
    );
    addExamples(node, shown);
    node.action(async () => {
      const request = { command, words: node.args, options: node.opts() };
      await handlers.analyze(request, settings());
    });
  }
  analyze.allowExcessArguments();
}

function addCapture(program: Command, handlers: Handlers, settings: () => Settings): void {
  const door = program
    .command('capture')
    .summary('bring a vmcore back to life and capture it by a dump method')
    .description(
      'Makes an emulated machine of a vmcore at the instant of its panic, runs a dump method on ' +
        'it stage by stage, and judges the file that comes out. Without options it takes the ' +
        'machine that comes with tsdump and the method mkdump.',
    )
    .option('--method <name>', 'mkdump (ends in LKCD) or kexec (ends in KDUMP)', 'mkdump');
  addCaptureFlags(door).action(async () => handlers.capture(door.opts(), settings()));
  addExamples(door, [
    ['tsdump capture', 'the default machine, by mkdump'],
    ['tsdump capture --method kexec -o new.kdump', 'the same crash, by a second kernel'],
    ['tsdump capture --machine vmcore --level user,free', 'your own vmcore, filtered'],
  ]);

  const methods = [
    ['mkdump', 'capture by a mini kernel in its own region; ends in an LKCD dump'],
    ['kexec', 'capture by a second kernel started with kexec; ends in a KDUMP dump'],
  ] as const;
  for (const [method, summary] of methods) {
    const node = program.command(method).summary(summary).description(sentence(summary));
    addCaptureFlags(node).action(async () =>
      handlers.capture({ ...node.opts(), method }, settings()),
    );
    addExamples(node, [
      [`tsdump ${method}`, 'the machine that comes with tsdump'],
      [`tsdump ${method} --machine vmcore -o copy`, 'your own vmcore'],
    ]);
  }
}

function addCaptureFlags(command: Command): Command {
  return command
    .option('--machine <vmcore>', 'the dump to bring back to life (default: the one in fixtures)')
    .option('-o, --output <file>', 'where the dump goes (default: METHOD.FORMAT, or METHOD-2 ...)')
    .option(
      '--level <level>',
      'pages to leave out: 0-31 or zero,cache,private-cache,user,free (default: 0)',
    )
    .option(
      '--compress <name>',
      'LKCD: none, rle, zlib; KDUMP: none, zlib, lzo, snappy, zstd (default: zlib)',
    )
    .option('--expect <class>', `the verdict that ends with status 0: ${verdictClasses.join(' ')}`)
    .option('--force', 'overwrite the output file');
}

/**
 * The words of a command line with the FILE of `analyze` taken out, so that what is left is a
 * plain tree of commands.
 */
export function takeFile(argv: readonly string[]): { words: string[]; file: string | undefined } {
  const isOption = (word: string): boolean => word.startsWith('-') && word !== '-';
  const words = [...argv];
  const command = words.findIndex((word) => !isOption(word));
  if (words[command] !== 'analyze') return { words, file: undefined };
  const at = words.findIndex((word, index) => index > command && !isOption(word));
  if (at < 0) return { words, file: undefined };
  const [file] = words.splice(at, 1);
  return { words, file };
}
