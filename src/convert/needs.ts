/** Which facts of a dump a format has a place for: what it has none for is not looked for. */

import { writers } from '../dump/writers.ts';

/**
 * `cpus`: registers, tasks and stacks by CPU number; `places`: where direct map and kernel are;
 * `vmcoreinfo`: its text, be it in a note or elsewhere.
 */
export type Need = 'uts' | 'time' | 'notes' | 'vmcoreinfo' | 'panic' | 'cpus' | 'places';

/** They have no notes, but slots for CPUs, and VMCOREINFO in a block of ours. */
const withSlots = new Set(['lkcd', 'diskdump', 'diskdump-partition']);

/** Nothing for a format that is not written. */
export function needsOf(format: string): ReadonlySet<Need> {
  const writer = writers.find(({ name }) => name === format);
  if (writer === undefined) return new Set();
  const needs = new Set<Need>();
  const { lacks } = writer;
  for (const fact of ['uts', 'time', 'notes', 'panic'] as const) {
    if (!lacks.includes(fact)) needs.add(fact);
  }
  if (withSlots.has(format)) needs.add('cpus');
  if (needs.has('notes') || needs.has('cpus')) needs.add('vmcoreinfo');
  if (format === 'elf') needs.add('places');
  return needs;
}
