/** Commands about memory and address spaces: bytes, translations, mappings, open files. */

import type { Command } from './command.ts';
import { taskOperand } from './operands.ts';
import { radixOptions } from './radix.ts';

const rd: Command = {
  name: 'rd',
  schema: 'rd/1',
  summary: 'memory: bytes, words, text, symbols',
  description: [
    'Words of 64 bits in hexadecimal with their characters, unless an option says else. -8, -16, ' +
      '-32 and -64 are the same as --width.',
    'An address of the lower half is in user memory of the task that panicked, or of --task.',
    'Reading stops at the first page that the dump does not have, and says which one.',
  ],
  operands: {
    name: 'address',
    description: 'ADDRESS [COUNT]: a symbol or a hexadecimal address',
    names: ['symbol'],
  },
  options: [
    { flags: '-w, --width <bits>', description: '8, 16, 32 or 64 bits a word (-8 -16 -32 -64)' },
    { flags: '-d, --signed', description: 'signed decimal' },
    { flags: '-D, --unsigned', description: 'unsigned decimal' },
    { flags: '-s, --symbols', description: 'symbols for what are addresses of them' },
    {
      flags: '-S, --slab',
      description: 'the same, and [NAME] for objects of a slab cache; -SS with their address',
      given: 'once or twice',
    },
    { flags: '-x, --plain', description: 'no characters at the end of a line' },
    { flags: '-a, --ascii', description: 'as text; without COUNT up to what is none' },
    { flags: '-N, --network', description: 'in network byte order (16 and 32 bits)' },
    { flags: '-R, --reverse', description: 'COUNT words up to and including the address' },
    { flags: '-e, --end <address>', description: 'up to this address' },
    { flags: '-o, --offset <bytes>', description: 'so many bytes further (hexadecimal)' },
    { flags: '-p, --physical', description: 'the address is a physical one' },
    { flags: '-u, --user', description: 'the address is in user memory' },
    { flags: '-t, --task <task>', description: 'user memory of this task' },
    { flags: '-f, --file', description: 'the address is an offset in the dump file' },
    { flags: '-m, --machine', description: 'machine addresses of Xen: refused' },
    {
      flags: '-r, --save <file>',
      description: 'COUNT bytes as they are into a file, which must not be there yet',
    },
  ],
  examples: [
    ['rd -a linux_banner', 'the text of the banner'],
    ['rd -s init_task 40', 'the first words of init_task, addresses by name'],
    ['rd -32 -d jiffies', 'one signed number of 32 bits'],
    ['rd -p 1000 16', 'physical memory'],
    ['rd -t 1 400000 8', 'user memory of init'],
  ],
  load: () => import('./rd.ts'),
};

const vtop: Command = {
  name: 'vtop',
  schema: 'vtop/1',
  summary: 'virtual address to physical, with every level of the page tables',
  description: [
    'An address of the lower half is a user address of the task that panicked, or of the one ' +
      'that -c names. Where the dump does not have the page, the last line says so.',
  ],
  operands: {
    name: 'address',
    description: 'a hexadecimal address or a symbol',
    names: ['symbol'],
  },
  options: [
    { flags: '-u, --user', description: 'the address is a user address' },
    { flags: '-k, --kernel', description: 'the address is a kernel address' },
    { flags: '-c, --context <task>', description: 'through the page tables of this task' },
  ],
  examples: [
    ['vtop init_task', 'where init_task lies'],
    ['vtop -c 1 400000', 'a user address of init'],
  ],
  load: () => import('./vtop.ts'),
};

const ptov: Command = {
  name: 'ptov',
  schema: 'ptov/1',
  summary: 'physical address to virtual, per-CPU offset to addresses',
  description: [
    'CPUs after a colon: all, a list as 0,2-3, or nothing for the one of the panic task.',
  ],
  operands: {
    name: 'address',
    description: 'a physical address, or OFFSET:CPUS',
    names: ['symbol'],
  },
  options: [],
  examples: [
    ['ptov 1000', 'where the direct map has it'],
    ['ptov runqueues:all', "every CPU's copy of a per-CPU variable"],
  ],
  load: () => import('./ptov.ts'),
};

const pte: Command = {
  name: 'pte',
  schema: 'pte/1',
  summary: 'contents of a page table entry, translated',
  description: ['Of an entry that is not present, where the page was swapped to.'],
  operands: { name: 'contents', description: 'the hexadecimal contents of an entry' },
  options: [],
  examples: [['pte 8000000002a7c163', 'page and flags']],
  load: () => import('./pte.ts'),
};

const ptob: Command = {
  name: 'ptob',
  schema: 'ptob/1',
  summary: 'page frame number to physical address',
  description: [],
  operands: { name: 'page', description: 'a hexadecimal page frame number' },
  options: [],
  examples: [['ptob 512a', 'where the page begins']],
  load: () => import('./ptob.ts'),
};

const btop: Command = {
  name: 'btop',
  schema: 'btop/1',
  summary: 'physical address to page frame number',
  description: [],
  operands: { name: 'address', description: 'a hexadecimal physical address' },
  options: [],
  examples: [['btop 512a000', 'the page that holds it']],
  load: () => import('./btop.ts'),
};

const ascii: Command = {
  name: 'ascii',
  schema: 'ascii/1',
  summary: 'the characters in hexadecimal words, or the chart of all',
  description: ['A word is taken as it lies in memory: its lowest byte first.'],
  operands: { name: 'value', description: 'a hexadecimal word' },
  options: [],
  examples: [
    ['ascii', 'the chart'],
    ['ascii 62696c2f7273752f', 'what these eight bytes say'],
  ],
  load: () => import('./ascii.ts'),
};

const vm: Command = {
  name: 'vm',
  schema: 'vm/1',
  summary: 'address space of tasks: sizes, mappings, pages',
  description: [
    'Without a task that of the task that panicked. With -p each page: where it is in memory, in ' +
      'swap or in its file, and whether the dump has it.',
  ],
  operands: taskOperand,
  options: [
    { flags: '-p, --pages', description: 'every page of every mapping' },
    { flags: '-m, --mm', description: 'the mm_struct, member by member' },
    { flags: '-v, --vmas', description: 'every vm_area_struct, member by member' },
    { flags: '-P, --vma <address>', description: 'every page of one mapping, by its struct' },
    {
      flags: '-R, --reference <reference>',
      description: 'only what has to do with this number (hexadecimal) or part of a path',
    },
    {
      flags: '-M, --lost <address>',
      description: 'with this mm_struct, where an exiting task has given back its own',
    },
    {
      flags: '-f, --flags <value>',
      description: 'the names of the bits of FLAGS, as this kernel has them',
    },
    ...radixOptions,
  ],
  examples: [
    ['vm 1', 'the mappings of init'],
    ['vm -p 1', 'with every page'],
    ['vm -R busybox 1', 'the mappings of one file'],
    ['vm -f 8000075', 'what these flags mean'],
  ],
  load: () => import('./vm.ts'),
};

const files: Command = {
  name: 'files',
  schema: 'files/1',
  summary: 'open files of tasks, with root and working directory',
  description: [
    'Without a task those of the task that panicked. A pipe has no path: its inode number stands ' +
      'there, as in /proc/PID/fd.',
  ],
  operands: taskOperand,
  options: [
    { flags: '-d, --dentry <address>', description: 'what one dentry is, of no task' },
    { flags: '-p, --inode <address>', description: 'pages of one inode in the page cache' },
    { flags: '-c, --cache', description: 'pages in the page cache, in place of addresses' },
    {
      flags: '-R, --reference <reference>',
      description: 'only files with this descriptor, address, or part of a path',
    },
  ],
  examples: [
    ['files 1', 'what init has open'],
    ['files -c 1', 'and how much of it is in memory'],
    ['files -R /dev/console 1', 'the descriptors of one file'],
  ],
  load: () => import('./files.ts'),
};

const search: Command = {
  name: 'search',
  schema: 'search/1',
  summary: 'where memory holds a value or a text',
  description: [
    'Searches what the page tables map, or physical memory (-p), as far as the dump has it; ' +
      'pages that were left out cannot be searched, which is said.',
    'A symbol as value is searched by its address.',
  ],
  operands: {
    name: 'value',
    description: 'a hexadecimal value or a symbol; with -c a text',
    names: ['symbol'],
  },
  options: [
    { flags: '-k, --kernel', description: 'kernel memory: what is meant without an option' },
    {
      flags: '-K, --linear',
      description: 'only what of it is mapped as it lies in memory, and the image of the kernel',
    },
    { flags: '-V, --mapped', description: 'only the rest of it: vmalloc, modules, struct pages' },
    { flags: '-p, --physical', description: 'physical memory' },
    { flags: '-u, --user', description: 'user memory of the task in question, or of --task' },
    { flags: '--task <task>', description: 'user memory of this task' },
    { flags: '-t, --stacks', description: 'kernel stacks of all tasks' },
    { flags: '-T, --running', description: 'kernel stacks of the tasks that CPUs were running' },
    { flags: '-s, --start <address>', description: 'from here' },
    { flags: '-e, --end <address>', description: 'up to here' },
    { flags: '-l, --length <bytes>', description: 'so many bytes from the start' },
    { flags: '-m, --mask <bits>', description: 'bits that need not match' },
    { flags: '-c, --text', description: 'the values are texts' },
    { flags: '-w, --words', description: 'words of 32 bits' },
    { flags: '-h, --halves', description: 'words of 16 bits' },
    {
      flags: '-x, --surroundings <count>',
      description: 'with so many words before and behind each that is found',
    },
  ],
  examples: [
    ['search -p -c "Linux version"', 'every copy of the banner'],
    ['search init_task', 'who points to init_task'],
    ['search -t init_task', 'on whose stack such a pointer is'],
    ['search -s init_task -l 4096 -m fffff init_task', 'what points near it'],
  ],
  load: () => import('./search.ts'),
};

export const memoryCommands: readonly Command[] = [
  rd,
  vtop,
  ptov,
  pte,
  ptob,
  btop,
  ascii,
  search,
  vm,
  files,
];
