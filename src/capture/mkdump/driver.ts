/**
 * The mini kernel's own disk driver: it polls the controller's registers, uses no interrupt and
 * nothing of the crashed kernel's. How long mkdump waited and how often it tried is not in our
 * sources: the limits are those of diskdump, which polls as well (scsi_dump: 5 s for the queue,
 * 60 s for a command). Nor is what it did about a medium error: this one stops there, because its
 * container has no room for holes, and what is written by then stays.
 */

import { DumpError } from '../../bytes/errors.ts';
import { second } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import { done, failed, type StageResult } from '../method.ts';
import { partsFrom } from '../second-kernel.ts';

const queueLimit = 5 * second;
const commandLimit = 60 * second;
const maxTries = 3;

/** Lets the crashed kernel's commands end, or resets the controller under them. */
export function takeDisk(machine: Machine): StageResult {
  const drained = machine.disk.drain(queueLimit);
  const remarks = drained ? [] : ['commands of the crashed kernel did not end: reset under them'];
  for (let retries = 0; retries < maxTries; retries++) {
    // Its DMA ends when the line is pulled, not when the controller is ready again.
    machine.silence('disk');
    if (machine.disk.reset()) {
      return { ...done, remarks, ...(retries === 0 ? {} : { retries }) };
    }
  }
  const cause = `the controller did not come back from ${maxTries} resets`;
  return { ...failed(cause, 'disk'), remarks, retries: maxTries };
}

/** Throws `io` where the disk does not take it. */
export function polledWrite(
  machine: Machine,
  offset: number,
  content: Uint8Array | readonly Uint8Array[],
): void {
  const parts = content instanceof Uint8Array ? [content] : content;
  const { name } = machine.disk.partition('dump');
  let written = 0;
  for (let tries = 0; tries <= maxTries; tries++) {
    const rest = partsFrom(parts, written);
    const { result, done } = machine.disk.write(offset + written, rest, commandLimit);
    written += done;
    if (result === 'ok') return;
    if (result === 'medium error') {
      throw new DumpError('io', `${name}: medium error at byte ${offset + written} of the disk`);
    }
    machine.disk.reset();
  }
  throw new DumpError('io', `${name}: no answer, and ${maxTries} resets did not help`);
}
