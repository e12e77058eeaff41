/**
 * Every analyze command. Names, letters and columns are those of `crash` 8.0.6, so that hands and
 * scripts that know it keep working; the long names and --json are ours.
 */

import type { Command } from './command.ts';
import { taskOperand } from './operands.ts';
import { radixOptions } from './radix.ts';
import { lcrashCommands } from './table-lcrash.ts';
import { memoryCommands } from './table-memory.ts';
import { sessionCommands } from './table-session.ts';
import { typeCommands } from './table-types.ts';
import { walkCommands } from './table-walks.ts';

const sys: Command = {
  name: 'sys',
  schema: 'sys/1',
  summary: 'the system: kernel, CPUs, uptime, panic message',
  description: [
    'There is no kernel file beside the dump, so KERNEL names the release and the build ID that ' +
      'the memory has. MEMORY is what the kernel manages, DATE and UPTIME are those of the ' +
      'panic, in UTC.',
  ],
  operands: { name: 'what', description: 'config; with -c a number or a part of a name' },
  options: [
    { flags: '-c, --calls', description: 'the table of system calls' },
    { flags: '-t, --taints', description: 'why the kernel is tainted, by letters' },
    { flags: '-i, --firmware', description: 'what the firmware says of the machine (DMI)' },
  ],
  examples: [
    ['sys', 'what crashed, when, and what the panic said'],
    ['sys -i', 'which machine it was'],
    ['sys -c readv', 'the system calls of that name'],
  ],
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
    { flags: '-c, --caller', description: 'with the thread (T1) or CPU (C0) that said it' },
    { flags: '-d, --dictionary', description: 'with the device that a record is about' },
    { flags: '-a, --audit', description: 'audit records that no daemon has fetched yet' },
    {
      flags: '-s, --safe',
      description: 'what printk had put aside for later (Linux 4.10 to 5.14)',
    },
  ],
  examples: [
    ['log | tail', 'the last words of the kernel'],
    ['log -Tm', 'date, time and level before each record'],
    ['log -d | grep DEVICE=+acpi -B 2', 'what was said of ACPI devices'],
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
    { flags: '-G, --leaders', description: 'one task a process: the first of its threads' },
    { flags: '-A, --active', description: 'the tasks that CPUs were running' },
    { flags: '-y, --policy <list>', description: 'tasks of these scheduling policies: FIFO,RR' },
    { flags: '-l, --last', description: 'by when they last began to run, the latest first' },
    { flags: '-m, --ago', description: 'the same as days, hours, minutes and seconds ago' },
    { flags: '-C, --cpus <list>', description: 'with -l or -m: CPU by CPU; "a" is every one' },
    { flags: '-g, --threads', description: 'each process with its threads' },
    { flags: '-r, --limits', description: 'resource limits' },
    { flags: '-S, --summary', description: 'how many tasks are in each state' },
    { flags: '-s, --stack', description: 'the kernel stack pointer (KSTACKP) in place of TASK' },
  ],
  examples: [
    ['ps', 'every task'],
    ['ps -u', 'user tasks'],
    ['ps -p 59', 'where task 59 descends from'],
    ['ps -a init', 'what every init was started with'],
    ['ps -m -C 0', 'what CPU 0 ran last, and how long ago'],
    ['ps "kworker.*"', 'by a regular expression'],
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
    { flags: '-c, --cpus <list>', description: 'the same of some CPUs: 0,2-3, or "a"' },
    { flags: '-p, --panic', description: 'the task that panicked' },
    { flags: '-g, --group', description: 'with all threads of the process' },
    { flags: '-n, --skip <tasks>', description: '"idle": of idle tasks no more than their names' },
    { flags: '-f, --full', description: 'with the stack words of each frame' },
    {
      flags: '-F, --symbolic',
      description: 'the same, by symbols and names of slab caches; -FF with addresses of objects',
      given: 'once or twice',
    },
    { flags: '-s, --offset', description: 'function+offset in each frame' },
    ...radixOptions,
    { flags: '-l, --line', description: 'with symbol+offset of each frame (no line tables)' },
    { flags: '-r, --raw', description: 'the raw kernel stack, no frames' },
    { flags: '-t, --text', description: 'every address of code from where the stack is in use' },
    { flags: '-T, --all-text', description: 'every address of code on the whole stack' },
    { flags: '-o, --stale', description: 'the same as -t, as frames: stale ones are among them' },
    { flags: '-e, --exceptions', description: 'search the stack for exception frames' },
    { flags: '-E, --cpu-stacks', description: 'the same on interrupt and exception stacks' },
    { flags: '-v, --overflow', description: 'look for signs of overflow on every stack' },
    {
      flags: '-R, --reference <symbol>',
      description: 'only tasks in whose backtrace this function or address is',
    },
    { flags: '-S, --sp <address>', description: 'from this stack pointer' },
    { flags: '-I, --ip <address>', description: 'with -S: and this instruction' },
  ],
  examples: [
    ['bt', 'the panic task'],
    ['bt -a', 'every CPU'],
    ['bt 1 2', 'the tasks with PID 1 and 2'],
    ['bt -f 1', 'with the contents of each frame'],
    ['bt -t 1', 'where the backtrace fails: all that may have been called'],
  ],
  load: () => import('./bt.ts'),
};

const mod: Command = {
  name: 'mod',
  schema: 'mod/1',
  summary: 'loaded modules',
  description: ['BASE and SIZE are those of the core part. Nothing is ever loaded from a file.'],
  operands: { name: 'module', description: 'a module name', names: ['module'] },
  options: [
    { flags: '-t, --taints', description: 'modules that taint the kernel, and how' },
    { flags: '-s, --load', description: 'refused: nothing but the dump is opened' },
    { flags: '-S, --load-all', description: 'refused' },
    { flags: '-d, --unload', description: 'refused' },
    { flags: '-D, --unload-all', description: 'refused' },
  ],
  examples: [['mod', 'every module']],
  load: () => import('./mod.ts'),
};

const sym: Command = {
  name: 'sym',
  schema: 'sym/1',
  summary: 'symbols: name to address and back, modules included',
  description: ['From kallsyms in the dump itself. A name that occurs often is shown each time.'],
  operands: { name: 'symbol', description: 'a name, or a hexadecimal address', names: ['symbol'] },
  options: [
    { flags: '-q, --query <text>', description: 'every symbol that contains the text' },
    { flags: '-l, --list', description: 'every symbol' },
    { flags: '-m, --module <name>', description: 'the symbols of one module' },
    { flags: '-M, --modules', description: 'the symbols of every module' },
    { flags: '-p, --previous', description: 'with the symbol before it' },
    { flags: '-n, --next', description: 'with the symbol behind it' },
  ],
  examples: [
    ['sym jiffies', 'where is it'],
    ['sym ffffffff9a34cc50', 'what is there'],
    ['sym -q sysrq', 'everything with "sysrq" in its name'],
  ],
  load: () => import('./sym.ts'),
};

export const commands: readonly Command[] = [
  ...[sys, log, ps, bt, mod, sym],
  ...typeCommands,
  ...memoryCommands,
  ...walkCommands,
  ...lcrashCommands,
  ...sessionCommands,
];
