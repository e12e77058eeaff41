/** struct list_head: circular lists through memory that may be damaged. */

import { DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { type KernelObject, memberAddress } from './objects.ts';

export interface ListKernel {
  readonly memory: AddressSpace;
  object(type: string, address: bigint): KernelObject;
}

export interface ListWalk {
  readonly objects: readonly KernelObject[];
  /** Why the walk stopped before it came back to its head; undefined when it came back. */
  readonly problem: DumpError | undefined;
}

/**
 * The objects on the list at `head`, which is not itself part of one, in list order. Stops, and
 * says why, at an unreadable link, at a loop that misses the head, and after `limit` objects.
 */
export function walkList(
  kernel: ListKernel,
  head: bigint,
  type: string,
  member: string,
  limit: number,
): ListWalk {
  const objects: KernelObject[] = [];
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
      objects.push(kernel.object(type, link - toMember));
      link = next;
    }
    return { objects, problem: undefined };
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return { objects, problem: error };
  }
}
