/** The dump methods by the names that the command line takes. */

import { DumpError } from '../bytes/errors.ts';
import { kexec } from './kexec/method.ts';
import type { DumpMethod } from './method.ts';
import { mkdump } from './mkdump/method.ts';

export const methods: readonly DumpMethod<unknown>[] = [mkdump, kexec];

export const methodNames: readonly string[] = methods.map((method) => method.name);

/** Throws `usage` for an unknown name. */
export function methodOf(name: string): DumpMethod<unknown> {
  const found = methods.find((method) => method.name === name);
  if (found === undefined) {
    throw new DumpError('usage', `there is no dump method "${name}"`, {
      hint: `methods: ${methodNames.join(', ')}`,
    });
  }
  return found;
}
