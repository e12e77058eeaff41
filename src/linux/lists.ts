/** struct list_head: circular lists through memory that may be damaged. */

import { DumpError } from '../bytes/errors.ts';
import type { ObjectOf } from './kernel-types.ts';
import type { AddressSpace } from './memory.ts';
import { type KernelObject, memberAddress } from './objects.ts';

export interface ListKernel {
  readonly memory: AddressSpace;
  object(type: string, address: bigint): KernelObject;
}

export interface ListWalk<Name extends string> {
  readonly objects: readonly ObjectOf<Name>[];
  /** Why the walk stopped before it came back to its head; undefined when it came back. */
  readonly problem: DumpError | undefined;
}

/**
 * The objects on the list at `head`, which is not itself part of one, in list order. Stops, and
 * says why, at an unreadable link, at a loop that misses the head, and after `limit` objects.
 */
export function walkList<Name extends string>(
  kernel: ListKernel,
  head: bigint,
  type: Name,
  member: string,
  limit: number,
): ListWalk<Name> {
  const objects: ObjectOf<Name>[] = [];
  const seen = new Set<bigint>();
  try {
    const toMember = memberAddress(kernel.object(type, 0n), member);
    let link = kernel.memory.u64(head);
    while (link !== head) {
      if (seen.has(link)) {
        throw new DumpError('corrupt', `the list of ${type} runs in a circle`, {
          where: { virtual: link },
        });
      }
      if (objects.length >= limit) {
        throw new DumpError('corrupt', `the list of ${type} has more than ${limit} entries`, {
          where: { virtual: head },
        });
      }
      seen.add(link);
      const next = kernel.memory.u64(link);
      objects.push(kernel.object(type, link - toMember) as ObjectOf<Name>);
      link = next;
    }
    return { objects, problem: undefined };
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return { objects, problem: error };
  }
}
