/** lcrash's vocabulary: its commands, letters and layout over what our other commands know. */

import type { Command } from './command.ts';
import { taskOperand } from './operands.ts';
import { radixOptions } from './radix.ts';

const fullOption = { flags: '-f, --full', description: 'each structure member by member' };

const stat: Command = {
  name: 'stat',
  schema: 'stat/1',
  summary: 'the system, its panic and the end of its log, as in lcrash',
  description: [
    'The log is shown with levels, its last 16 KB: as much as the kernels of lcrash had.',
  ],
  options: [],
  examples: [['stat', 'what crashed, and its last words']],
  load: () => import('./stat.ts'),
};

const trace: Command = {
  name: 'trace',
  schema: 'bt/1',
  summary: 'kernel backtraces, as in lcrash',
  description: [
    'The same as bt: what that marks as "(guess)" is marked here too. Registers are shown by bt.',
  ],
  operands: taskOperand,
  options: [
    { flags: '-f, --full', description: 'with the stack words of each frame' },
    { flags: '-a, --all', description: 'every task' },
  ],
  examples: [
    ['trace', 'the panic task'],
    ['trace -f 1', 'with the contents of each frame'],
  ],
  load: () => import('./trace.ts'),
};

const strace: Command = {
  name: 'strace',
  schema: 'strace/1',
  summary: 'every trace that a kernel stack holds, old ones too, as in lcrash',
  description: [
    'Searches the kernel stack of a task for return addresses and unwinds from each. Shown are ' +
      'traces of at least three frames, or as many as the second word says, that lead to user ' +
      'mode or to the first frame of the kernel. What calls left behind shows what ran on this ' +
      'stack before; it may be a mixture of several of them.',
  ],
  operands: {
    name: 'task',
    description: 'TASK [FRAMES]: a task, and the fewest frames of a trace',
    names: ['task'],
  },
  options: [
    { flags: '-a, --all', description: 'also traces that break off' },
    { flags: '-l, --list', description: 'only the return addresses and where they lie' },
  ],
  examples: [
    ['strace', 'traces on the stack of the panic task'],
    ['strace -a 1 5', 'all of five frames and more on the stack of init'],
    ['strace -l 1', 'its return addresses'],
  ],
  load: () => import('./strace.ts'),
};

const walk: Command = {
  name: 'walk',
  schema: 'walk/1',
  summary: 'a linked list, structure by structure, as in lcrash',
  description: [
    'STRUCT MEMBER ADDRESS: MEMBER, or its offset, points to the next structure; the list ends ' +
      'with NULL or where it began. With -h, MEMBER is a struct list_head and ADDRESS that of ' +
      'the head of the list. ADDRESS OFFSET SIZE shows the bytes of each structure.',
    'Structures that -l names have a line of their own; of others it is the address, or with -s ' +
      'all members. A list that runs in a circle, leads to what cannot be read or is longer than ' +
      '10,000 hops ends there, which is said.',
  ],
  operands: {
    name: 'words',
    description: 'STRUCT MEMBER ADDRESS, or ADDRESS OFFSET SIZE',
    names: ['type', 'expression'],
  },
  options: [
    { flags: '-l, --list', description: 'the structures that have a line of their own' },
    { flags: '-h, --head <n|p>', description: 'by struct list_head, its next or prev pointers' },
    { flags: '-t, --links', description: 'with -h: each list_head and its neighbours' },
    { flags: '-s, --structs', description: 'each structure member by member' },
    { flags: '-f, --full', description: 'the same' },
    { flags: '-i, --iterations <number>', description: 'so many hops at most (10,000)' },
    ...radixOptions,
  ],
  examples: [
    ['walk -h n task_struct tasks init_task.tasks', 'every process'],
    ['walk -t -h p module list modules', 'modules backwards: their links'],
    ['walk -s -h n clocksource list clocksource_list', 'clocks, member by member'],
    ['walk -l', 'which structures have lines'],
  ],
  load: () => import('./walk.ts'),
};

const dump: Command = {
  name: 'dump',
  schema: 'rd/1',
  summary: 'memory in words, as in lcrash',
  description: [
    'Words of 64 bits in hexadecimal, unless an option says else. COUNT is one where none is ' +
      'given. Reading stops at the first page that the dump does not have, and says which one.',
  ],
  operands: {
    name: 'address',
    description: 'ADDRESS [COUNT]: a symbol or a hexadecimal address',
    names: ['symbol'],
  },
  options: [
    { flags: '-x, --hex', description: 'hexadecimal' },
    { flags: '-d, --decimal', description: 'unsigned decimal' },
    { flags: '-o, --octal', description: 'octal' },
    { flags: '-B, --byte', description: 'bytes' },
    { flags: '-H, --half', description: 'words of 16 bits' },
    { flags: '-W, --word', description: 'words of 32 bits' },
    { flags: '-D, --double', description: 'words of 64 bits' },
  ],
  examples: [
    ['dump linux_banner 8', 'the first 64 bytes of the banner'],
    ['dump -W -d jiffies', 'one number of 32 bits'],
  ],
  load: () => import('./dump.ts'),
};

const module: Command = {
  name: 'module',
  schema: 'module/1',
  summary: 'loaded modules and who needs them, as in lcrash',
  description: [
    'USED counts references, REFS are the modules that hold them. By its name: state, base, what ' +
      'it needs itself, and its symbols.',
  ],
  operands: { name: 'module', description: 'a module name', names: ['module'] },
  options: [fullOption, ...radixOptions],
  examples: [
    ['module', 'every module'],
    ['module virtio', 'one of them in full'],
  ],
  load: () => import('./module.ts'),
};

const mmap: Command = {
  name: 'mmap',
  schema: 'mmap/1',
  summary: 'mm_structs and their mappings, as in lcrash',
  description: ['Without an address that of the task in question.'],
  operands: { name: 'address', description: 'of a struct mm_struct', names: ['symbol'] },
  options: [
    { flags: '-n, --next', description: 'with the vm_area_structs of each' },
    fullOption,
    ...radixOptions,
  ],
  examples: [
    ['mmap', 'of the panic task'],
    ['mmap -n', 'with its mappings'],
    ['mmap init_mm', 'that of the kernel itself'],
  ],
  load: () => import('./mmap.ts'),
};

const page: Command = {
  name: 'page',
  schema: 'page/1',
  summary: 'struct pages: use count, mapping, index, flags by name, as in lcrash',
  description: ['What is less than the number of page frames is one, else an address.'],
  operands: { name: 'page', description: 'a hexadecimal page frame number, or an address' },
  options: [fullOption, ...radixOptions],
  examples: [
    ['page 1000', 'of one page frame'],
    ['page -f 1000', 'with every member'],
  ],
  load: () => import('./page.ts'),
};

const report: Command = {
  name: 'report',
  schema: 'report/1',
  summary: 'all that is asked first, in one text, as from lcrash -r',
  description: [
    'The panic, the system, the whole log, every task, the stack of the task that failed and ' +
      'that of each CPU.',
  ],
  options: [],
  examples: [['report', 'for a bug report']],
  load: () => import('./report.ts'),
};

const findsym: Command = {
  name: 'findsym',
  schema: 'sym/1',
  summary: 'symbols: name to address and back, as in lcrash',
  description: ['From kallsyms in the dump itself, as sym.'],
  operands: { name: 'symbol', description: 'a name, or a hexadecimal address', names: ['symbol'] },
  options: [],
  examples: [['findsym schedule', 'where is it']],
  load: () => import('./findsym.ts'),
};

const symbol: Command = {
  ...findsym,
  name: 'symbol',
  summary: 'the same as findsym',
  examples: [['symbol jiffies', 'where is it']],
};

export const lcrashCommands: readonly Command[] = [
  ...[stat, trace, strace, walk, dump, module, mmap, page, report, findsym, symbol],
];
