/** The part of the command line that makes dumps: `capture`, each method's own, `scenario`. */

import type { Command } from 'commander';
import { catalogue, type MethodDescription, methodWords } from '../capture/catalogue.ts';
import { verdictClasses } from '../trial/verdict-classes.ts';
import { addExamples } from './examples.ts';
import type { CaptureFlags, Handlers, NewScenarioFlags, SaveFlags, Settings } from './handlers.ts';
import { addInputOptions } from './input-options.ts';
import { unknownCommand } from './unknown-command.ts';

export function addCapture(program: Command, handlers: Handlers, settings: () => Settings): void {
  const run = (command: Command, method?: string) => async (): Promise<void> => {
    const flags = { ...command.opts<CaptureFlags>(), ...(method === undefined ? {} : { method }) };
    await handlers.capture(flags, commandWords(method ?? command.name()), settings());
  };
  const door = program
    .command('capture')
    .summary('crash a machine made of real memory, damage it, capture it by a dump method')
    .description(
      'Makes an emulated machine of a real Linux image at the instant of its panic, strikes it ' +
        'with the faults of a scenario and of --fault, runs a dump method on it stage by stage, ' +
        'judges the file that comes out, and says why it failed. Without options it takes the ' +
        'scenario null-process and the method mkdump.\n\n' +
        'A seed decides where faults strike. Every run prints its seed and the command that ' +
        'repeats it: same seed, same run.',
    )
    .option('--method <name>', `NAME or NAME:GENERATION: ${methodWords.join(' ')}`, 'mkdump');
  door.option(
    '--replay <line>',
    'run a trial of `tsdump compare` again: a line of its results, or FILE:NUMBER',
  );
  addCaptureFlags(door, catalogue).action(run(door));
  door.option(
    '--explain-needs <methods>',
    'print what methods need intact of the crashed kernel instead: names with commas, or all',
  );
  addExamples(door, [
    ['tsdump capture', 'the usual crash, by mkdump'],
    ['tsdump capture --list', 'methods, scenarios and faults, each with an example'],
    ['tsdump capture --scenario disk-hung --method kexec', 'another crash, by a second kernel'],
    ['tsdump kexec --fault memory:by=dma,region=slab,writes=4', 'with damage of your own'],
    ['tsdump capture --machine vmcore --level user,free', 'your own vmcore, filtered'],
    ['tsdump capture --explain-needs kexec,lkcd-disk', 'what each needs of the crashed kernel'],
  ]);
  for (const method of catalogue) {
    const node = methodCommand(program, method);
    addCaptureFlags(node, [method]).action(run(node, method.name));
    const words = commandWords(method.name);
    addExamples(node, [
      [`tsdump ${words}`, 'the usual crash'],
      [`tsdump ${words} --fault disk-hung --seed 7`, 'the same with a hung disk'],
      [`tsdump ${words} --machine vmcore -o copy`, 'your own vmcore'],
    ]);
  }
}

/** Methods that share a command: `lkcd disk` for `lkcd-disk`. */
const families: readonly string[] = ['lkcd'];

function commandWords(method: string): string {
  const [family = '', ...member] = method.split('-');
  return families.includes(family) ? `${family} ${member.join('-')}` : method;
}

/** The node of the method's own command; a family of methods is a command of commands. */
function methodCommand(
  program: Command,
  { name, summary, generations }: MethodDescription,
): Command {
  const [first = '', member] = commandWords(name).split(' ');
  const parent = member === undefined ? program : familyCommand(program, first);
  const lines = generations.map((generation) => `- ${generation.name}: ${generation.title}`);
  const usual = generations[0].name;
  const node = parent
    .command(member ?? name)
    .summary(summary)
    .description(
      `Capture by ${summary}.\n\nGenerations (the first is the usual one):\n\n${lines.join('\n')}`,
    );
  return node.option(
    '--generation <name>',
    `what it was at a time of its history (default: ${usual})`,
  );
}

function familyCommand(program: Command, family: string): Command {
  const known = program.commands.find((command) => command.name() === family);
  if (known !== undefined) return known;
  const members = catalogue.filter(({ name }) => name.startsWith(`${family}-`));
  const list = members.map(({ name }) => commandWords(name)).join(', ');
  return program
    .command(family)
    .summary(`capture by a method of this family: ${list}`)
    .description(`A family of dump methods: ${list}.`);
}

/** `LKCD: none, rle, zlib; KDUMP: zlib ...`: the first one of each is the usual one. */
function compressText(known: readonly MethodDescription[]): string {
  const formats = new Map(known.map(({ format, compressions }) => [format, compressions]));
  const lists = [...formats].map(
    ([format, compressions]) => `${format.toUpperCase()}: ${compressions.join(', ')}`,
  );
  return `${lists.join('; ')} (default: the first)`;
}

/** Of an option that may be repeated. */
function collect(word: string, words: readonly string[] = []): readonly string[] {
  return [...words, word];
}

/** `known`: the methods that the command runs. */
function addCaptureFlags(command: Command, known: readonly MethodDescription[]): Command {
  const takesDevice = known.some(({ device }) => device !== undefined);
  if (takesDevice) {
    command.option(
      '--dump-device <what>',
      'the dump device was mistyped: it is a file-system or swap of somebody else',
    );
  }
  return addInputOptions(command)
    .option(
      '--scenario <name|file>',
      'which crash, under which faults (default: null-process; with --machine: none)',
    )
    .option('--fault <fault>', 'one more fault, KIND[:key=value,...]; may be repeated', collect)
    .option('--seed <number>', 'decides where faults strike, 0 to 4294967295 (default: drawn)')
    .option('--hardware <profile>', "how fast disk and CPUs are (default: the scenario's)")
    .option('--watchdog <seconds>', "a hardware watchdog (default: the scenario's, else none)")
    .option('--machine <vmcore>', 'a dump to bring back to life instead of an image of tsdump')
    .option(
      '--server <host[:port]>',
      'for network dumps: a real `tsdump serve` takes the dump; judged by what it acknowledged',
    )
    .option('-o, --output <file>', 'where the dump goes (default: METHOD.FORMAT, or METHOD-2 ...)')
    .option(
      '--level <level>',
      'pages to leave out: 0-31 or zero,cache,private-cache,user,free (default: 0)',
    )
    .option('--compress <name>', compressText(known))
    .option('--expect <class>', `the verdict that ends with status 0: ${verdictClasses.join(' ')}`)
    .option(
      '--trace <file>',
      'everything that the machine did, one JSON object a line; - is stdout',
    )
    .option('--keep-disk <file>', "the machine's disk as an image; `tsdump save` takes it")
    .option('--picture <file>', 'the run as a picture: time line and map of memory; .svg or .html')
    .option('--force', 'overwrite the output files')
    .option('--list', 'print methods, scenarios, faults and hardware profiles instead');
}

export function addSave(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = program
    .command('save')
    .summary('make the dump of what a capture left on a disk')
    .description(
      'Does what a system does when it is up again after a crash: finds what a dump method left ' +
        'on the disk that --keep-disk kept, makes a dump file of it, and writes a report of the ' +
        'crash beside it, as LKCD did at boot. A dump that was cut short is saved as far as it ' +
        'goes, and says so. The image stays as it is. Several images are the disks of one machine.',
    )
    .argument('<image...>', 'what --keep-disk wrote')
    .option('-o, --output <file>', 'where the dump goes (default: METHOD.FORMAT, or METHOD-2 ...)')
    .option('--force', 'overwrite the output files')
    .action((images: string[]) => handlers.save(images, node.opts<SaveFlags>(), settings()));
  addExamples(node, [
    ['tsdump diskdump --keep-disk disk.img', 'a disk with a dump on it'],
    ['tsdump save disk.img', 'the dump, and the report'],
    ['tsdump save disk.img -o vmcore', 'by a name of your own'],
  ]);
}

export function addScenario(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = program
    .command('scenario')
    .summary('list, show, check and make scenarios: what crashes, and what befalls it')
    .description(
      'A scenario is a small file: the image that panicked, the faults that befall its machine, ' +
        'its hardware. `tsdump capture --scenario` runs one. Without a command it lists them.',
    )
    .usage('[command] [options]')
    .helpCommand('help [command]', 'what a command does and takes')
    .allowExcessArguments()
    .action(() => {
      if (node.args.length > 0) unknownCommand(node, node.args[0]!);
      return handlers.scenario({ action: 'list' }, settings());
    });
  addExamples(node, [
    ['tsdump scenario list', 'the scenarios that come along'],
    ['tsdump scenario show disk-hung', 'what it is, and what a reader learns from it'],
    ['tsdump scenario new mine.yaml --from disk-hung', 'one of your own'],
    ['tsdump scenario check mine.yaml', 'is a file of your own one?'],
  ]);
  const list = node
    .command('list')
    .summary('the scenarios that come with tsdump')
    .description('Lists the scenarios that come with tsdump.')
    .action(() => handlers.scenario({ action: 'list' }, settings()));
  addExamples(list, [['tsdump scenario list --json', 'for a program, with every member']]);
  const show = node
    .command('show')
    .summary('one scenario in full')
    .description('Prints one scenario: its crash, its faults, and what it shows.')
    .argument('<name|file>', 'a name of `scenario list`, or a file of your own')
    .action((name: string) => handlers.scenario({ action: 'show', name }, settings()));
  addExamples(show, [['tsdump scenario show null-process', 'the one that `capture` takes alone']]);
  const check = node
    .command('check')
    .summary('is a file a scenario, and if not, why not')
    .description(
      'Checks scenario files and lists everything that is wrong in them. The exit status is 1 ' +
        'if anything is.',
    )
    .argument('<file...>', 'YAML files')
    .action((files: string[]) => handlers.scenario({ action: 'check', files }, settings()));
  addExamples(check, [['tsdump scenario check *.yaml', 'all of them']]);
  addNewScenario(node, handlers, settings);
}

function addNewScenario(parent: Command, handlers: Handlers, settings: () => Settings): void {
  const node = parent
    .command('new')
    .summary('make a scenario file')
    .description(
      'Writes a scenario file of another scenario and of options, with its name as the name of ' +
        'the scenario. What `scenario check` would refuse is not written. Expected verdicts are ' +
        'kept only where nothing but title and why is another.',
    )
    .argument('<file>', 'a new file, NAME.yaml')
    .option('--from <name|file>', 'the scenario to begin with (default: null-process)')
    .option('--title <text>', 'what happens, in one line')
    .option('--why <text>', 'what a reader learns from it')
    .option('--image <name>', 'the image that panicked')
    .option('--load <load>', 'what the machine was doing: idle, disk busy, network busy, both')
    .option('--trigger <who>', 'who turns a hang into a panic: nmi-watchdog, nobody')
    .option('--hardware <profile>', 'how fast disk and CPUs are')
    .option('--watchdog <seconds>', 'a hardware watchdog')
    .option('--fault <fault>', 'one more fault, KIND[:key=value,...]; may be repeated', collect)
    .option('--force', 'overwrite the file')
    .action((file: string) => {
      const flags = node.opts<NewScenarioFlags>();
      return handlers.scenario({ action: 'new', file, flags }, settings());
    });
  addExamples(node, [
    ['tsdump scenario new mine.yaml --fault disk-hung', 'the usual crash, with a hung disk'],
    ['tsdump scenario new deaf.yaml --from deaf-cpu --watchdog 600', 'another one, changed'],
  ]);
}
