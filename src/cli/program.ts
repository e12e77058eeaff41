/**
 * The command line as a tree: parsing, help, suggestions and manual pages come from it. It imports
 * no implementation, so that `tsdump analyze vmcore log` loads what `log` needs and no more.
 */

import { Command, type OptionValues } from 'commander';
import { commands } from '../analyze/table.ts';
import { addCapture, addScenario } from './capture-commands.ts';
import { addExamples } from './examples.ts';
import type { Handlers, Settings } from './handlers.ts';
import { unknownCommand } from './unknown-command.ts';

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
  addScenario(program, handlers, settings);
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

function addAnalyze(program: Command, handlers: Handlers, settings: () => Settings): void {
  const analyze = program
    .command('analyze')
    .summary('ask a crash dump: sys, log, ps, bt, struct, p, rd, vtop, vm, files ...')
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
    for (const { flags, description, given } of command.options) {
      if (given === undefined) node.option(flags, description);
      else node.option(flags, description, (_, before) => (before === undefined ? true : 'twice'));
    }
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
