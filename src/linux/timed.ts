/** What of a kernel is read at most once, and by the first question that needs it. */
export type Phase =
  | 'VMCOREINFO and page tables'
  | 'symbols'
  | 'types'
  | 'modules'
  | 'types of modules';

/**
 * Does the work of a phase, for somebody who measures it: in this room there is no clock. Phases
 * nest: the list of modules is read with types.
 */
export type Timed = <T>(phase: Phase, work: () => T) => T;

export const untimed: Timed = (_, work) => work();
