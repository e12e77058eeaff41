/**
 * Between the stopped CPUs and the first write: the dump device is asked whether it can be used,
 * the other CPUs are let go, and interrupts come to this one. Source: LKCD's dump_blockdev.c
 * dump_block_silence(), dump_i386.c __dump_irq_enable().
 */

import { plural } from '../../bytes/text.ts';
import { queueState } from '../../linux/block.ts';
import type { Machine } from '../../machine/machine.ts';
import { inDump } from '../_lkcd/panic.ts';
import { execute } from '../_lkcd/resident.ts';
import { done, failed, type Stage, type StageResult } from '../method.ts';
import { readerOf } from './block-layer.ts';
import { letGo } from './other-cpus.ts';
import type { LkcdDiskState } from './state.ts';

export const silenceStages: readonly Stage<LkcdDiskState>[] = [
  inDump('dump device', silence),
  inDump('interrupts', takeInterrupts),
];

/**
 * The queue lock of then is any lock that a request needs today. Release 2003 wanted an empty
 * queue, too; later ones say so and go on.
 */
function silence(machine: Machine, state: LkcdDiskState): StageResult {
  execute(machine, 'dump_silence');
  const queue = queueState(readerOf(machine), state.device);
  const locks = [...queue.locks, ...queue.hardware.map(({ lock }) => lock)];
  machine.tell({ what: 'read', cpu: machine.panic.cpu, name: 'request_queue' });
  const held = locks.find(({ isHeld }) => isHeld);
  if (held !== undefined) return failed(`EBUSY: ${held.name} is held`, held.name);
  const taken = queue.hardware.flatMap(({ tags }) => tags).map(({ depth, free }) => depth - free);
  const requests = taken.reduce((sum, count) => sum + count, 0);
  const isEmpty = requests === 0 && !queue.hardware.some(({ hasDispatch }) => hasDispatch);
  const notEmpty = `its queue is not empty: ${plural(requests, 'request')} in flight`;
  if (!isEmpty && state.options.generation === '2003') {
    return failed(`EBUSY: ${notEmpty}`, 'request_queue');
  }
  machine.disk.useQueues();
  return { ...done, remarks: isEmpty ? [] : [`warning: ${notEmpty}`] };
}

/** All interrupts are sent to this CPU, and its own are enabled again. */
function takeInterrupts(machine: Machine, state: LkcdDiskState): StageResult {
  const remarks = letGo(machine, state);
  for (const line of machine.interrupts.lines) line.cpu = machine.panic.cpu;
  return { ...done, remarks };
}
