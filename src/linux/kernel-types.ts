/**
 * What TypeScript knows of the C types of a kernel: nothing, until a file that
 * `tsdump analyze FILE --emit-types` wrote adds the types of one kernel to these interfaces.
 */

import type { KernelObject, MemberValue } from './objects.ts';

/** C names (`struct task_struct`, `atomic_t`) to the views that `kernel.object` gives of them. */
// biome-ignore lint/suspicious/noEmptyInterface: its members are declared by whoever has a dump
export interface KernelTypes {}

/** Well-known variables to what `kernel.variable` gives for them. */
// biome-ignore lint/suspicious/noEmptyInterface: likewise
export interface KernelVariables {}

/** A view of an array. */
export interface KernelArray<Element> extends Iterable<Element> {
  readonly length: number;
  readonly [index: number]: Element;
}

/** A view of that C type: with its members where they have been declared. */
export type ObjectOf<Name extends string> = Name extends keyof KernelTypes
  ? KernelTypes[Name]
  : KernelObject;

/** The value of that variable, likewise. */
export type VariableOf<Name extends string> = Name extends keyof KernelVariables
  ? KernelVariables[Name]
  : MemberValue;
