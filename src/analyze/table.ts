/**
 * Every analyze command. Names, letters and columns are those of `crash` 8.0.6, so that hands and
 * scripts that know it keep working; the long names and --json are ours.
 */

import type { Command, Operand } from './command.ts';
import { memoryCommands } from './table-memory.ts';
import { typeCommands } from './table-types.ts';

const taskOperand: Operand = {
  name: 'task',
  description: 'a PID, a hexadecimal task_struct address or a command name',
};

const sys: Command = {
  name: 'sys',
  schema: 'sys/1',
  summary: 'the system: kernel, CPUs, uptime, panic message',
  description: [
    'There is no kernel file beside the dump, so KERNEL names the release and the build ID that ' +
      'the memory has. MEMORY is what the kernel manages, DATE and UPTIME are those of the ' +
      'panic, in UTC.',
  ],
  options: [],
  examples: [['sys', 'what crashed, when, and what the panic said']],
  load: () => import('./sys.ts'),
};

const log: Command = {
  name: 'log',
  schema: 'log/1',
  summary: 'the kernel log',
  description: [
    'Reads the records of Linux 3.5 and later, in either form that they have had. A record whose ' +
      'text was overwritten or is in a page that the dump lacks is counted in the note, not ' +
      'skipped in silence.',
  ],
  options: [
    { flags: '-T, --ctime', description: 'date and time (UTC) in place of seconds since boot' },
    { flags: '-t, --text', description: 'without time stamps' },
    { flags: '-m, --level', description: 'with the level of each record, as <6>' },
  ],
  examples: [
    ['log | tail', 'the last words of the kernel'],
    ['log -Tm', 'date, time and level before each record'],
  ],
  load: () => import('./log.ts'),
};

const ps: Command = {
  name: 'ps',
  schema: 'ps/1',
  summary: 'tasks: state, CPU, memory, relations, times, arguments',
  description: [
    'A ">" stands before the task that a CPU was running. States are RU IN UN ZO ST TR DE SW ' +
      'WA PA ID NE as in crash; sizes are in KB; %MEM is of all below the end of memory.',
    'Arguments and environment (-a) are in user memory, which most dumps leave out: what is not ' +
      'there is said for each task.',
  ],
  operands: taskOperand,
  options: [
    { flags: '-p, --parents', description: 'each task below its line of parents' },
    { flags: '-c, --children', description: 'each task with its children' },
    { flags: '-t, --times', description: 'run time, start time, user and system time' },
    { flags: '-a, --arguments', description: 'arguments and environment from user memory' },
    { flags: '-u, --user', description: 'user tasks only' },
    { flags: '-k, --kernel', description: 'kernel threads only' },
    { flags: '-s, --stack', description: 'the kernel stack pointer (KSTACKP) in place of TASK' },
  ],
  examples: [
    ['ps', 'every task'],
    ['ps -u', 'user tasks'],
    ['ps -p 1234', 'where task 1234 descends from'],
    ['ps -a sshd', 'what every sshd was started with'],
  ],
  load: () => import('./ps.ts'),
};

const bt: Command = {
  name: 'bt',
  schema: 'bt/1',
  summary: 'kernel backtraces: the panic task, any task, every CPU',
  description: [
    'Unwinds by the ORC tables of the kernel and its modules, through interrupt, exception and ' +
      'NMI frames. A frame that was found by searching the stack is marked "(guess)".',
    'A vmcore has no line tables: -l prints symbol+offset, which addr2line or faddr2line turns ' +
      'into a line where the debug symbols of the kernel are at hand.',
  ],
  operands: taskOperand,
  options: [
    { flags: '-a, --active', description: 'the task that each CPU was running' },
    { flags: '-f, --full', description: 'with the stack words of each frame' },
    { flags: '-l, --line', description: 'with symbol+offset of each frame (no line tables)' },
    { flags: '-r, --raw', description: 'the raw kernel stack, no frames' },
    { flags: '-e, --exceptions', description: 'search the stack for exception frames' },
  ],
  examples: [
    ['bt', 'the panic task'],
    ['bt -a', 'every CPU'],
    ['bt 1 2', 'the tasks with PID 1 and 2'],
    ['bt -f 1', 'with the contents of each frame'],
  ],
  load: () => import('./bt.ts'),
};

const mod: Command = {
  name: 'mod',
  schema: 'mod/1',
  summary: 'loaded modules',
  description: ['BASE and SIZE are those of the core part. Nothing is ever loaded from a file.'],
  operands: { name: 'module', description: 'a module name' },
  options: [],
  examples: [['mod', 'every module']],
  load: () => import('./mod.ts'),
};

const sym: Command = {
  name: 'sym',
  schema: 'sym/1',
  summary: 'symbols: name to address and back, modules included',
  description: ['From kallsyms in the dump itself. A name that occurs often is shown each time.'],
  operands: { name: 'symbol', description: 'a name, or a hexadecimal address' },
  options: [
    { flags: '-q, --query <text>', description: 'every symbol that contains the text' },
    { flags: '-l, --list', description: 'every symbol' },
    { flags: '-m, --module <name>', description: 'the symbols of one module' },
  ],
  examples: [
    ['sym jiffies', 'where is it'],
    ['sym ffffffff81000000', 'what is there'],
    ['sym -q sysrq', 'everything with "sysrq" in its name'],
  ],
  load: () => import('./sym.ts'),
};

export const commands: readonly Command[] = [
  ...[sys, log, ps, bt, mod, sym],
  ...typeCommands,
  ...memoryCommands,
];
