/**
 * The command file that crash 8.0.6 was given for every real dump (`crash.cmds` beside them), and
 * how each of its answers is held against ours.
 */

import * as facts from './facts.ts';

export interface Compared {
  /** As it was typed. */
  readonly line: string;
  /** File under `answers/IMAGE`; undefined: no command of ours answers it. */
  readonly section?: string;
  /** Fewer lines than these are no answer of crash. */
  readonly atLeast: number;
  /** Where lines may differ: what of them is compared. Undefined: each line as it stands. */
  readonly facts?: (lines: Iterable<string>) => facts.Facts;
}

const ours: readonly Compared[] = [
  { line: 'sys', section: 'sys', atLeast: 13, facts: facts.sysFacts },
  { line: 'log', section: 'log', atLeast: 400 },
  { line: 'ps', section: 'ps', atLeast: 60, facts: facts.psFacts },
  { line: 'bt', section: 'bt', atLeast: 10, facts: facts.btFacts },
  { line: 'bt -a', section: 'bt-a', atLeast: 20, facts: facts.btFacts },
  { line: 'mod', section: 'mod', atLeast: 10 },
  { line: 'task 1', section: 'task-1', atLeast: 1000 },
  { line: 'vm 1', section: 'vm-1', atLeast: 10 },
  { line: 'files 1', section: 'files-1', atLeast: 5 },
  { line: 'vtop ffffffff81000000', section: 'vtop', atLeast: 7, facts: facts.vtopFacts },
  { line: 'sym -q sysrq', section: 'sym-q-sysrq', atLeast: 100, facts: facts.rowFacts },
  { line: 'sym linux_banner', section: 'sym-linux_banner', atLeast: 1 },
  { line: 'struct task_struct -o', section: 'struct-o-task_struct', atLeast: 250 },
  { line: 'struct list_head', section: 'struct-list_head', atLeast: 5 },
  { line: 'p init_task.comm', section: 'p-init_task.comm', atLeast: 1 },
  { line: 'p jiffies', section: 'p-jiffies', atLeast: 1 },
  { line: 'foreach bt', section: 'foreach-bt', atLeast: 500, facts: facts.btFacts },
  { line: 'foreach files', section: 'foreach-files', atLeast: 250, facts: facts.lineFacts },
];

const notYet = 'kmem -i,net,mount,runq,timer,mach,ipcs,irq,swap,dev'.split(',');

export const compared: readonly Compared[] = [
  ...ours,
  ...notYet.map((line) => ({ line, atLeast: 0 })),
];
