/**
 * The command line as a tree: parsing, help, suggestions and manual pages come from it. It imports
 * no implementation, so that `tsdump analyze vmcore log` loads what `log` needs and no more.
 */

import { Command, type OptionValues } from 'commander';
import { nodeOf } from '../analyze/parse.ts';
import { commands } from '../analyze/table.ts';
import { addCapture, addSave, addScenario } from './capture-commands.ts';
import { addCompare } from './compare-commands.ts';
import { addConvert, addRepair } from './convert-commands.ts';
import { addCheck, addInfo } from './dump-commands.ts';
import { addExamples } from './examples.ts';
import type { Handlers, Settings } from './handlers.ts';
import { addInputOptions, type InputFlags, inputFlagsOf } from './input-options.ts';
import { addServe } from './serve-command.ts';
import { unknownCommand } from './unknown-command.ts';

/** They hold anywhere on a line. */
const globalOptions: readonly (readonly [flags: string, description: string])[] = [
  ['--json', 'one JSON document per command on standard output'],
  ['--quiet', 'no notes on standard error, errors only'],
  ['--verbose', 'say more: where the time goes, stacks of internal errors'],
  ['--no-color', 'no colours (also: NO_COLOR in the environment)'],
  ['--strict', 'a partial answer ends with exit status 5'],
];
const versionFlag = '--version';
const globals: ReadonlySet<string> = new Set([
  ...globalOptions.map(([flags]) => flags),
  versionFlag,
]);

export function createProgram(handlers: Handlers): Command {
  const program: Command = new Command('tsdump').description(
    'Captures and analyses Linux kernel crash dumps. A dump is opened with nothing but itself: ' +
      'no debug symbols, no kernel file.',
  );
  for (const [flags, description] of globalOptions) program.option(flags, description);
  program
    .version(handlers.version, versionFlag, 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .enablePositionalOptions()
    .configureHelp({
      showGlobalOptions: true,
      // Those of `analyze` itself (-c, -i) are none of its commands'.
      visibleGlobalOptions: (command) => (command === program ? [] : [...program.options]),
      commandUsage: (command) => usageOf(command),
    })
    .configureOutput({
      writeOut: (text) => handlers.out(text),
      writeErr: (text) => handlers.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'tsdump: usage: ')),
    });
  const settings = (): Settings => settingsOf(program.opts());
  addAnalyze(program, handlers, settings);
  addInfo(program, handlers, settings);
  addCheck(program, handlers, settings);
  addConvert(program, handlers, settings);
  addRepair(program, handlers, settings);
  addCapture(program, handlers, settings);
  addSave(program, handlers, settings);
  addScenario(program, handlers, settings);
  addCompare(program, handlers, settings);
  addServe(program, handlers, settings);
  addCompletion(program, handlers);
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

/** The tree alone, for those who read it: manuals, completion. */
export function commandTree(version: string): Command {
  const nothing = (): void => {};
  return createProgram({
    ...{ version, out: nothing, err: nothing, welcome: nothing },
    ...{ analyze: nothing, info: nothing, check: nothing, convert: nothing, repair: nothing },
    ...{ capture: nothing, save: nothing, scenario: nothing, serve: nothing, compare: nothing },
    completion: nothing,
  });
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
        'FILE and nothing else. Without a command it prints an overview and, at a terminal, asks ' +
        'for commands: Tab completes, | and > lead to the shell, ! runs a command of it, Ctrl-C ' +
        'stops what runs, `exit` leaves. Commands may also come from a pipe, one a line.',
    )
    .usage('[command] [options]')
    .option('-c, --commands <commands>', 'run these, with ; between them')
    .option('-i, --input <file>', 'run the commands of a file first')
    .enablePositionalOptions()
    .option('--script <file>', 'run a script (.ts, .js, .mjs) on the dump; behind -- its words')
    .option('--emit-types [file]', "the kernel's C types as TypeScript (.d.ts), for scripts")
    .option('--force', 'with --emit-types: replace the file');
  addInputOptions(analyze)
    .helpCommand('help [command]', 'what a command does and takes')
    .action(async () => {
      if (analyze.args.length > 0) unknownCommand(analyze, analyze.args[0]!);
      const { format, ranges, ...options } = analyze.opts();
      refuseTogether(
        analyze,
        ['script', 'emitTypes', 'commands'],
        ['script', 'emitTypes', 'input'],
      );
      const input = inputFlagsOf({ format, ranges });
      await handlers.analyze({ command: undefined, words: [], options, input }, settings());
    });
  addExamples(analyze, [
    ['tsdump analyze vmcore', 'what crashed, and where'],
    ['tsdump analyze vmcore log -T', 'the kernel log with dates'],
    ['tsdump analyze vmcore bt -a --json', 'every CPU, for a program'],
    ['tsdump analyze vmcore -c "sys; ps -u | head"', 'several commands'],
    ['echo "ps -u" | tsdump analyze vmcore', 'commands from a pipe'],
    ['tsdump analyze vmcore --script stuck.ts -- UN', 'a script of yours, and words for it'],
    ['tsdump analyze vmcore --emit-types vmcore.d.ts', 'the types that it then knows'],
  ]);
  for (const command of commands) {
    const node = nodeOf(command).copyInheritedSettings(analyze);
    analyze.addCommand(node);
    const shown = command.examples.map(
      ([words, meaning]) => [`tsdump analyze vmcore ${words}`, meaning] as const,
    );
    addExamples(node, shown);
    node.action(async () => {
      const { format, ranges, ...others } = analyze.opts<InputFlags>();
      const [other] = analyze.options.filter((option) => option.attributeName() in others);
      if (other !== undefined) {
        analyze.error(`error: ${command.name} and ${other.long} do not go together`);
      }
      const input = inputFlagsOf({ format, ranges });
      const request = { command, words: node.args, options: node.opts(), input };
      await handlers.analyze(request, settings());
    });
  }
  analyze.allowExcessArguments();
}

function addCompletion(program: Command, handlers: Handlers): void {
  const node = program
    .command('completion')
    .summary('completion of commands, options and their values in bash, zsh or fish')
    .description(
      'Prints a script for the shell, which asks tsdump for what fits whenever Tab is pressed. ' +
        'It opens no dump and evaluates nothing that stands on the line.',
    )
    .argument('<shell>', 'bash, zsh or fish')
    .action((shell: string) => handlers.completion(shell));
  addExamples(node, [
    ['source <(tsdump completion bash)', 'in ~/.bashrc'],
    ['source <(tsdump completion zsh)', 'in ~/.zshrc, behind compinit'],
    ['tsdump completion fish | source', 'in ~/.config/fish/config.fish'],
  ]);
}

/**
 * The global options come first: then every other name is left to the commands, whose -c is not
 * the -c of `analyze`.
 */
export function globalsFirst(words: readonly string[]): string[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  const command = words.find((word) => !word.startsWith('-'));
  // What `compare` says in JSON may go to a file.
  const isOwn = (word: string): boolean => word === '--json' && command === 'compare';
  const isGlobal = (word: string, at: number): boolean =>
    at < end && globals.has(word) && !isOwn(word);
  return [...words.filter(isGlobal), ...words.filter((word, at) => !isGlobal(word, at))];
}

/** Options of `analyze` itself, behind which no FILE stands. */
const takesValue = /^(--script|--commands|--input|--format|--ranges|-[ci])$/;

/** Of each list one at most. */
function refuseTogether(node: Command, ...lists: readonly (readonly string[])[]): void {
  for (const names of lists) {
    const given = node.options.filter((option) => {
      return names.includes(option.attributeName()) && node.opts()[option.attributeName()];
    });
    if (given.length > 1) {
      node.error(`error: ${given.map(({ long }) => long).join(' and ')} do not go together`);
    }
  }
}

/** What `takeFile` makes of a command line. */
export interface TakenLine {
  readonly words: readonly string[];
  readonly file: string | undefined;
  /** For a script: what stands behind --. */
  readonly scriptWords: readonly string[];
}

/**
 * The words of a command line with the FILE of `analyze`, and what is meant for a script, taken
 * out, so that what is left is a plain tree of commands.
 */
export function takeFile(argv: readonly string[]): TakenLine {
  const isOption = (word: string): boolean => word.startsWith('-') && word !== '-';
  const words = globalsFirst(argv);
  const command = words.findIndex((word) => !isOption(word));
  if (words[command] !== 'analyze') return { words, file: undefined, scriptWords: [] };
  const end = words.indexOf('--');
  const isScript = words.slice(command, end).some((word) => /^--script(?:=|$)/.test(word));
  const [, ...scriptWords] = isScript && end > 0 ? words.splice(end) : [];
  const at = words.findIndex((word, index) => {
    return index > command && !isOption(word) && !takesValue.test(words[index - 1]!);
  });
  // Whoever asks for help has no dump yet.
  if (at < 0 || words[at] === 'help') return { words, file: undefined, scriptWords };
  const [file] = words.splice(at, 1);
  return { words, file, scriptWords };
}
