/** Stages that every method with a kernel of its own ends up in. */

import type { Machine } from '../machine/machine.ts';
import { done, type StageResult } from './method.ts';

export function reboot(machine: Machine): StageResult {
  machine.reboot();
  return done;
}

/** What is left of parts of which the first `length` bytes are written. */
export function partsFrom(parts: readonly Uint8Array[], length: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    if (at >= length) left.push(part);
    else if (at + part.length > length) left.push(part.subarray(length - at));
    at += part.length;
  }
  return left;
}
