/** Commands about the session itself, and those that ask other commands. */

import type { Command } from './command.ts';

const set: Command = {
  name: 'set',
  schema: 'set/1',
  summary: 'the task in question; how numbers and long answers are shown',
  description: [
    'Commands that take a task mean this one where none is named: the one that panicked, until ' +
      '`set` chooses another.',
    '`set radix 16` shows integers in hexadecimal where no option says else; `set scroll off` ' +
      'shows long answers at once. Both, and the task, are kept as long as the shell runs.',
  ],
  operands: {
    name: 'task',
    description: 'a task, or a variable and its value',
    names: ['task'],
    words: ['radix', 'scroll'],
  },
  options: [
    { flags: '-p, --panic', description: 'the task that panicked' },
    { flags: '-c, --cpu <number>', description: 'the task that this CPU was running' },
    { flags: '-v, --variables', description: 'the variables' },
  ],
  examples: [
    ['set', 'the task in question'],
    ['set -c 1', 'what CPU 1 was running'],
    ['set radix 16', 'integers in hexadecimal from now on'],
  ],
  load: () => import('./set.ts'),
};

const foreach: Command = {
  name: 'foreach',
  schema: 'foreach/1',
  summary: 'a command for many tasks, one after the other',
  description: [
    'Tasks are named by PID, address, command name or a regular expression for it; by `user`, ' +
      '`kernel`, `gleader` (first threads of processes), `active`; or by state: RU, IN, UN, ST, ' +
      'ZO, TR, DE, WA, PA, ID, NE. Without any it is every task. A name that is also a command ' +
      'is written with \\ before it.',
    'A task about which the command cannot say anything is counted as missing.',
  ],
  operands: {
    name: 'words',
    description: '[TASK|KIND|STATE ...] COMMAND ...',
    names: ['task'],
    words: ['user', 'kernel', 'gleader', 'active'],
  },
  wraps: 'command',
  options: [],
  examples: [
    ['foreach active bt', 'backtraces of what was running'],
    ['foreach user files', 'open files of every process'],
    ['foreach IN bt', 'who sleeps, and where'],
    ['foreach bt -R schedule_timeout', 'who waits, and gives up after some time'],
    ['foreach "kworker.*" set', 'tasks by a regular expression'],
  ],
  load: () => import('./foreach.ts'),
};

const repeat: Command = {
  name: 'repeat',
  schema: 'repeat/1',
  summary: 'a command again and again, until Ctrl-C',
  description: ['[-SECONDS] COMMAND: with that much time between. The JSON is that of COMMAND.'],
  operands: { name: 'words', description: '[-SECONDS] COMMAND ...' },
  wraps: 'command',
  options: [],
  examples: [['repeat -1 p jiffies', 'every second']],
  endless: true,
  load: () => import('./repeat.ts'),
};

const alias: Command = {
  name: 'alias',
  schema: 'alias/1',
  summary: 'short words for commands',
  description: [
    'Without words all, with one word what that stands for. NAME and a command makes an alias, ' +
      'kept as long as the shell runs; NAME "" removes it. A command with a pipe stands in ' +
      'quotes. The name of a command stays that command.',
  ],
  operands: { name: 'words', description: 'NAME and the command that it stands for' },
  wraps: 'text',
  options: [],
  examples: [
    ['alias', 'every alias'],
    ['alias blocked foreach UN bt', 'a new one'],
  ],
  load: () => import('./alias.ts'),
};

export const sessionCommands: readonly Command[] = [set, foreach, repeat, alias];
