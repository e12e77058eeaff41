/** Commands about types and values: what a struct looks like, what a variable is worth. */

import type { Command, Operand, Option } from './command.ts';
import { taskOperand } from './operands.ts';
import { radixOptions } from './radix.ts';

const expressionOperand: Operand = {
  name: 'expression',
  description: 'a C expression',
  names: ['expression'],
};

const structOperand: Operand = {
  name: 'words',
  description: 'NAME[.MEMBER,...] and, for its contents, ADDRESS[:CPUS] and a count',
  names: ['type', 'expression'],
};

const structOptions: readonly Option[] = [
  {
    flags: '-o, --offsets',
    description: 'the offset of each member; with an address, its address',
  },
  {
    flags: '-l, --contained <member>',
    description: 'the address is that of a member: STRUCT.MEMBER, or a number of bytes',
  },
  {
    flags: '-c, --count <number>',
    description: 'so many, one behind the other; negative: up to the address',
  },
  { flags: '-r, --raw', description: 'the words of it, or of one member, as they lie in memory' },
  {
    flags: '-p, --pointers',
    description: 'with the type of each pointer, and what it leads to',
  },
  { flags: '-u, --user', description: 'the address is in user memory of the task in question' },
  { flags: '-f, --file', description: 'the address is an offset in the dump file' },
  ...radixOptions,
];

const structDescription: readonly string[] = [
  'Types are those that the kernel and its modules carry themselves (BTF). A member may be a ' +
    'path with members and indexes, several are separated by commas. The address is a ' +
    'hexadecimal number, a symbol or a C expression; of a per-CPU variable, ":a" means every ' +
    'CPU, ":0,2-3" some, ":" the one that panicked.',
  'What is in pages that the dump lacks is shown as "<not in the dump>" and counted. BTF does ' +
    'not tell "x[]" from "x[0]": the last member of a struct is shown as the former.',
];

const struct: Command = {
  name: 'struct',
  schema: 'struct/1',
  summary: 'a struct: its layout, or what stands at an address',
  description: structDescription,
  operands: structOperand,
  options: structOptions,
  examples: [
    ['struct list_head', 'its members and size'],
    ['struct page -o', 'with offsets'],
    ['struct task_struct.comm,pid,se.load init_task', 'three members of the first task'],
    ['struct rq.nr_running,curr runqueues:a', 'of every CPU'],
    ['struct task_struct.comm -l task_struct.tasks init_task.tasks.next', 'by a link of a list'],
    ['struct nsproxy.uts_ns -p init_nsproxy', 'what a member points to'],
    ['struct list_head -r modules', 'its words'],
  ],
  load: () => import('./struct.ts'),
};

const union: Command = {
  ...struct,
  name: 'union',
  summary: 'a union: its layout, or what stands at an address',
  examples: [['union rcu_special -o', 'its members and size']],
};

const whatis: Command = {
  name: 'whatis',
  schema: 'whatis/1',
  summary: 'the declaration of a type, a variable, a function, an expression',
  description: [
    'Types, functions and per-CPU variables are known from BTF; of other variables only the ' +
      'well-known have a type.',
  ],
  operands: {
    name: 'name',
    description: 'a type, a variable, a function or an expression',
    names: ['type', 'expression'],
  },
  options: [
    { flags: '-o, --offsets', description: 'the offset of each member' },
    {
      flags: '-r, --size <bytes>',
      description: 'structs and unions of this size: BYTES, or FROM-TO',
    },
    {
      flags: '-m, --member <type>',
      description: 'structs and unions with a member in whose type this text stands',
    },
  ],
  examples: [
    ['whatis zone_type', 'an enum and its values'],
    ['whatis vfs_read', 'what a function takes'],
    ['whatis init_task.mm', 'the type of an expression'],
    ['whatis -r 192', 'what has 192 bytes'],
    ['whatis -m mm_struct -r 24-48', 'and may hold a pointer to an mm_struct'],
  ],
  load: () => import('./whatis.ts'),
};

const print: Command = {
  name: 'print',
  schema: 'print/1',
  summary: 'the value of a C expression',
  description: [
    'Operators, casts and integer rules are those of C; container_of(POINTER, TYPE, MEMBER), ' +
      'offsetof(TYPE, MEMBER) and per_cpu(NAME, CPU) are known. Nothing is ever called or written.',
    'A variable whose type is not known needs a cast: *(struct T *)&NAME. Where the shell would ' +
      'take a character for itself, put the expression into quotes; before one that begins with ' +
      'a minus, write --.',
  ],
  operands: expressionOperand,
  options: [
    ...radixOptions,
    { flags: '-u, --user', description: 'pointers lead to user memory of the task in question' },
  ],
  examples: [
    ['print jiffies', 'a variable'],
    ['print init_task.comm', 'a member'],
    ['print "*init_task.sched_class"', 'what a pointer leads to'],
    ['print "container_of(init_task.tasks.next, struct task_struct, tasks)->comm"', 'a neighbour'],
    ['print runqueues:1', 'a per-CPU variable of CPU 1'],
  ],
  load: () => import('./print.ts'),
};

const p: Command = {
  ...print,
  name: 'p',
  summary: 'the same as print',
  examples: [
    ['p -x jiffies', 'in hexadecimal'],
    ['p "sizeof(struct page) * 64"', 'a calculation'],
  ],
};

const evaluate: Command = {
  name: 'eval',
  schema: 'eval/1',
  summary: 'a calculation in hexadecimal, decimal, octal and binary',
  description: [
    'Numbers may be hexadecimal without 0x where that is obvious, and end in k, m or g. A symbol ' +
      'stands for its address. All numbers have 64 bits.',
  ],
  operands: {
    name: 'expression',
    description: 'numbers and symbols with + - & | ^ * % / << >> ~',
    names: ['symbol'],
  },
  options: [
    { flags: '-b, --bits', description: 'which bits are set' },
    { flags: '-l, --long', description: 'taken for the sake of crash: all numbers have 64 bits' },
  ],
  examples: [
    ['eval 128m', 'a size'],
    ['eval -b 41dc065', 'which bits are set'],
    ['eval "(1 << 32)"', 'a shift'],
  ],
  load: () => import('./eval.ts'),
};

const sizeOf: Command = {
  name: 'sizeof',
  schema: 'sizeof/1',
  summary: 'bytes of a type or an expression',
  description: ["As in lcrash. The tag of a struct may be left out: 'sizeof page'."],
  operands: { name: 'type', description: 'a type or an expression', names: ['type', 'expression'] },
  options: [],
  examples: [
    ['sizeof task_struct', 'a struct'],
    ['sizeof init_task.comm', 'a member'],
  ],
  load: () => import('./sizeof.ts'),
};

const task: Command = {
  name: 'task',
  schema: 'task/1',
  summary: 'task_struct and thread_info of tasks, whole or by member',
  description: ['Without a task it is the one that panicked.'],
  operands: taskOperand,
  options: [
    {
      flags: '-R, --members <paths>',
      description: 'only these members of the task_struct or the thread_info, with commas',
    },
    ...radixOptions,
  ],
  examples: [
    ['task 1', 'everything about init'],
    ['task -R pid,comm,se.load 1', 'three members'],
  ],
  load: () => import('./task.ts'),
};

export const typeCommands: readonly Command[] = [
  ...[struct, union, whatis, print, p, evaluate, sizeOf, task],
];
