/** Which tasks `ps` speaks of: options that leave some out. */

import { DumpError } from '../bytes/errors.ts';
import type { Options } from './command.ts';
import type { TaskEntry } from './tasks.ts';

/** include/uapi/linux/sched.h; ISO was reserved and is crash's word. */
const policies = ['NORMAL', 'FIFO', 'RR', 'BATCH', 'ISO', 'IDLE', 'DEADLINE'];

/** Throws `usage` for a policy that there is none of. */
export function wantedTasks(options: Options): (entry: TaskEntry) => boolean {
  const tests: ((entry: TaskEntry) => boolean)[] = [];
  if (options.user === true) tests.push(({ kernelThread }) => !kernelThread);
  if (options.kernel === true) tests.push(({ kernelThread }) => kernelThread);
  if (options.leaders === true) tests.push(({ pid, tgid }) => pid === tgid);
  if (options.active === true) tests.push(({ active }) => active);
  if (typeof options.policy === 'string') {
    const wanted = options.policy.split(',').map(policyNumber);
    tests.push(({ view }) => wanted.includes(Number(view.policy)));
  }
  return (entry) => tests.every((test) => test(entry));
}

/** A number, or a name as the kernel has it behind SCHED_. */
function policyNumber(word: string): number {
  const known = policies.indexOf(word.toUpperCase());
  if (known >= 0) return known;
  if (/^\d{1,3}$/.test(word)) return Number(word);
  throw new DumpError('usage', `"${word}" is no scheduling policy`, {
    hint: policies.map((name, number) => `${name} (${number})`).join(', '),
  });
}
