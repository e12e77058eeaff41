/** Commands that go from one thing to the next: lists, trees, instructions. */

import type { Command, Option } from './command.ts';
import { radixOptions } from './radix.ts';

const structOptions: readonly Option[] = [
  {
    flags: '-s, --struct <struct>',
    description: 'each entry as STRUCT, or STRUCT.MEMBER,...; may be given several times',
    given: 'repeatedly',
  },
  {
    flags: '-S, --raw <struct>',
    description: 'the same, numbers of up to 8 bytes as they stand in memory',
    given: 'repeatedly',
  },
  ...radixOptions,
];

const list: Command = {
  name: 'list',
  schema: 'list/1',
  summary: 'a linked list: its entries, and what stands in them',
  description: [
    'Without -h or -H the start is the first entry, and at the offset in each stands a pointer ' +
      'to the next; the list ends at 0 or where it comes back to. With -H the start is a ' +
      'list_head that is not in an entry, with -h an entry with a list_head in it. An offset is ' +
      'STRUCT.MEMBER or a number of bytes.',
    'A pointer that leads nowhere, and a list that never comes back to its start, end the list ' +
      'with a note that names the entry; what came before is shown.',
  ],
  operands: {
    name: 'words',
    description: '[OFFSET] START: a symbol, an address or an expression',
    names: ['symbol', 'type', 'expression'],
  },
  options: [
    {
      flags: '-o, --offset <offset>',
      description: 'of the pointer, or list_head, in an entry',
    },
    { flags: '-H, --head', description: 'the start is a list_head outside of all entries' },
    {
      flags: '-h, --inside',
      description: 'the start is an entry, at the offset a list_head in it',
    },
    {
      flags: '-O, --head-offset <offset>',
      description: 'with -h: of the list_head in the first, which is of another type',
    },
    { flags: '-l, --contained <offset>', description: 'with -s: of the link in the struct' },
    { flags: '-e, --end <address>', description: 'what ends the list (hexadecimal)' },
    { flags: '-r, --reverse', description: 'a list of list_heads from its end' },
    { flags: '-B, --brent', description: 'taken for the sake of crash: loops are always found' },
    ...structOptions,
  ],
  examples: [
    ['list -H modules -o module.list -s module.name,state', 'every module'],
    ['list task_struct.tasks -s task_struct.pid,comm -h init_task', 'every process'],
    ['list task_struct.parent init_task', 'a chain of pointers'],
    [
      'list -o task_struct.sibling -O task_struct.children -h init_task -s task_struct.comm',
      'the children of the first task',
    ],
  ],
  load: () => import('./list.ts'),
};

const tree: Command = {
  name: 'tree',
  schema: 'tree/1',
  summary: 'a tree: red-black, XArray, radix or maple; its entries, and what stands in them',
  description: [
    'The start is the address of an rb_root, xarray, radix_tree_root or maple_tree, or of what ' +
      'contains one, with -r. An offset is STRUCT.MEMBER or a number of bytes. Radix trees have ' +
      'been XArrays since Linux 4.20.',
    'A branch that cannot be read, or that leads back, is left out and counted. Slots of an ' +
      'XArray that belong to the entry before them are no entries.',
  ],
  operands: {
    name: 'start',
    description: 'a symbol, an address or an expression',
    names: ['symbol', 'expression'],
  },
  options: [
    { flags: '-t, --type <type>', description: 'rbtree (as without it), xarray, radix or maple' },
    { flags: '-r, --root <offset>', description: 'of the root in what the start is' },
    { flags: '-o, --offset <offset>', description: 'of the rb_node in an entry' },
    { flags: '-N, --node', description: 'the start is a node, not a root' },
    { flags: '-l, --linear', description: 'a red-black tree from left to right' },
    { flags: '-p, --position', description: 'with the way from the root, and the index' },
    { flags: '-v, --verbose', description: 'a maple tree with its nodes and empty ranges' },
    ...structOptions,
  ],
  examples: [
    ['tree -t rbtree -o vmap_area.rb_node vmap_area_root -l', 'what vmalloc gave away'],
    ['tree -o vmap_area.rb_node vmap_area_root -s vmap_area.va_start,va_end -x', 'and where'],
    [
      'tree -t maple -r mm_struct.mm_mt ' +
        '"container_of(init_task.tasks.next, struct task_struct, tasks)->mm"',
      'the mappings of the first process',
    ],
    ['tree -t xarray -p cgroup_hierarchy_idr', 'an IDR, which begins with its XArray'],
  ],
  load: () => import('./tree.ts'),
};

const dis: Command = {
  name: 'dis',
  schema: 'dis/1',
  summary: 'instructions of functions, with symbols',
  description: [
    'A symbol, or the address of one, is shown to the end of the function; any other address is ' +
      'one instruction, where no count says else. What is shown is what memory holds: the kernel ' +
      'patches its text when it starts.',
    'The instruction that faulted, where the panic came from an exception, is marked with "=>". ' +
      'JSON has the frames of the panic task besides.',
    'A vmcore has no line tables: -l adds nothing and says so.',
  ],
  operands: {
    name: 'words',
    description: 'ADDRESS [COUNT]: a symbol, a hexadecimal address or an expression',
    names: ['symbol', 'expression'],
  },
  options: [
    { flags: '-r, --reverse', description: 'from the start of the function up to the address' },
    { flags: '-f, --forward', description: 'from the address to the end of the function' },
    { flags: '-u, --user', description: 'a user address of the task in question' },
    { flags: '-l, --line', description: 'taken for the sake of crash: there are no line tables' },
    {
      flags: '-b, --skipped [bytes]',
      description: 'how many bytes behind a ud2 it skips: none',
    },
    ...radixOptions,
  ],
  examples: [
    ['dis schedule', 'a function'],
    ['dis -r schedule+19', 'what leads to an instruction'],
    ['dis -f schedule+19 5', 'five instructions'],
    ['dis "(schedule+5)" 3', 'at an expression'],
  ],
  load: () => import('./dis.ts'),
};

export const walkCommands: readonly Command[] = [list, tree, dis];
