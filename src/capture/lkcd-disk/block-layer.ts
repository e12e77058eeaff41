/**
 * Writing through the crashed kernel's own block layer: submit_bio(), the hardware queue of this
 * CPU, the driver's ring, and the completion by interrupt. Whoever holds a lock on the way will not
 * release it any more, and nothing has a time limit. What stood in the way in 2.4 and 2.6 stands
 * today in block/blk-mq.c, drivers/scsi/scsi_lib.c and the driver; the interrupt's way is
 * handle_edge_irq() of kernel/irq/chip.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import {
  type HardwareQueue,
  isHeld,
  type QueueState,
  queueOfCpu,
  queueState,
  type SpinLock,
  scsiState,
} from '../../linux/block.ts';
import { irqDescriptors, irqState } from '../../linux/irq.ts';
import type { ObjectMemory } from '../../linux/objects.ts';
import type { BlockWrite } from '../../machine/files.ts';
import type { InterruptLine } from '../../machine/interrupts.ts';
import type { Machine } from '../../machine/machine.ts';
import { execute } from '../_lkcd/resident.ts';
import { catchUp } from './other-cpus.ts';
import type { DriverFacts, LkcdDiskState } from './state.ts';

const submission = {
  path: 'scsi-write',
  role: 'caller',
  stage: 'blkdev_write_iter',
  from: 'submit_bio',
} as const;
const dispatch = { path: 'scsi-write', role: 'worker', stage: 'blk_mq_run_work_fn' } as const;
const interrupt = { path: 'scsi-write', role: 'interrupt', stage: 'asm_common_interrupt' } as const;
/** The driver's handler, without an interrupt's way to it. */
const poll = { ...interrupt, from: 'vring_interrupt' } as const;

/** note_interrupt(): after so many that nobody handled, the line is shut off. */
const stormLimit = 100_000;

/**
 * The way of a write, for one stage. It is gone again where memory has changed since: the same
 * bytes give the same.
 */
export function blockLayer(machine: Machine, state: LkcdDiskState): BlockWrite {
  const polls = state.options.generation === '2005';
  let seen = -1;
  let facts: DriverFacts | undefined;
  return (offset, parts) => {
    catchUp(machine, state);
    const isNew = seen !== machine.memory.generation;
    seen = machine.memory.generation;
    if (isNew) facts = submit(machine, state);
    carryOut(machine, offset, parts);
    if (!polls) hear(machine);
    if (!isNew) return;
    if (polls) machine.panicCpu.executePath(poll, 'blk_mq_complete_request');
    else handle(machine, facts);
  };
}

/** Memory as the panicking CPU sees it now. */
export function readerOf({ kernel, panicCpu }: Machine): ObjectMemory {
  return { memory: panicCpu.memory, types: kernel.types };
}

/** The hardware queue that requests of the panicking CPU go through. */
function ownQueue(machine: Machine, { address, hardware }: QueueState): HardwareQueue {
  const { panicCpu } = machine;
  const offset = panicCpu.perCpu(0n, panicCpu.number);
  const own = queueOfCpu(readerOf(machine), address, offset);
  const found = hardware.find((candidate) => candidate.address === own);
  if (found !== undefined) return found;
  throw new DumpError('corrupt', 'the queue of this CPU is none of its disk', {
    where: { virtual: own },
  });
}

/** From submit_bio() to the doorbell; gives what is known of the driver's part. */
function submit(machine: Machine, state: LkcdDiskState): DriverFacts | undefined {
  const { panicCpu: cpu, clock } = machine;
  execute(machine, 'dump_write');
  cpu.executePath(submission, 'submit_bio', 'submit_bio_noacct', 'blk_mq_submit_bio');
  const queue = queueState(readerOf(machine), state.device);
  const own = ownQueue(machine, queue);
  const facts = state.drivers.find(({ number }) => number === own.number);
  machine.tell({ what: 'read', cpu: cpu.number, name: `request_queue, hctx ${own.number}` });
  if (queue.isFrozen) clock.hang('its queue is frozen, and nobody thaws it', 'request_queue');
  const empty = own.tags.find(({ free }) => free === 0);
  if (empty !== undefined) {
    const cause = 'no tag is free: blk_mq_get_tag() sleeps, and nobody wakes it';
    clock.hang(cause, `blk_mq_hw_ctx.${empty.name}`);
  }
  spinOn(machine, [...queue.locks, own.lock]);
  if (queue.isQuiesced || own.isStopped) {
    clock.hang('the hardware queue is quiesced or stopped, and nobody runs it', 'blk_mq_hw_ctx');
  }
  cpu.executePath(dispatch, 'blk_mq_dispatch_rq_list', 'scsi_queue_rq');
  if (state.isScsi) expectScsi(machine, queue.address);
  if (facts?.lock !== undefined) {
    const { name, address } = facts.lock;
    spinOn(machine, [{ ...facts.lock, isHeld: isHeld(readerOf(machine), name, address) }]);
  }
  return facts;
}

function expectScsi(machine: Machine, queue: bigint): void {
  const { isRunning, isBlocked } = scsiState(readerOf(machine), queue);
  if (isRunning && !isBlocked) return;
  machine.clock.hang('it takes no commands: requests wait in their queue', 'Scsi_Host');
}

function spinOn(machine: Machine, locks: readonly SpinLock[]): void {
  const held = locks.find(({ isHeld }) => isHeld);
  if (held === undefined) return;
  machine.clock.hang(`${held.name} is held, and spun on without a limit`, held.name);
}

/** Throws `io` where the driver reports an error. */
function carryOut({ disk }: Machine, offset: number, parts: readonly Uint8Array[]): void {
  // It is served after what the kernel had sent before.
  if (disk.condition.hung === 'no') disk.drain(Number.POSITIVE_INFINITY);
  const { result, done } = disk.write(offset, parts);
  if (result === 'ok') return;
  throw new DumpError('io', `EIO: ${result} at byte ${offset + done} of the disk`);
}

/** The completion by interrupt comes, or nobody has a time limit for it. */
function hear(machine: Machine): void {
  const why = whyUnheard(machine, machine.interrupts.line('disk'));
  if (why !== undefined) machine.clock.hang(`${why}: the dump waits for it for ever`, 'interrupt');
}

/** Its way from the vector to the driver. */
function handle(machine: Machine, facts: DriverFacts | undefined): void {
  machine.panicCpu.executePath(interrupt, 'handle_edge_irq', 'blk_mq_complete_request');
  if (facts?.irq !== undefined) expectHandled(machine, facts.irq);
}

function whyUnheard(machine: Machine, line: InterruptLine): string | undefined {
  if (line.state === 'lost') return "the disk's interrupt does not arrive";
  if (line.state === 'storm' && line.enabled) {
    machine.spend(stormLimit * machine.hardware.cpu.interruptNs, 'interrupt storm');
    line.enabled = false;
  }
  return line.enabled ? undefined : "the disk's interrupt is shut off";
}

function expectHandled(machine: Machine, irq: number): void {
  const object = `irq_desc of interrupt ${irq}`;
  machine.tell({ what: 'read', cpu: machine.panic.cpu, name: object });
  const why = whyUnhandled(machine, irq);
  if (why === undefined) return;
  machine.clock.hang(`the disk's interrupt ${why}: the dump waits for it for ever`, object);
}

function whyUnhandled(machine: Machine, irq: number): string | undefined {
  const reader = readerOf(machine);
  const address = irqDescriptors(reader, machine.kernel.symbols).get(irq);
  if (address === undefined) return 'is not known to the kernel';
  const { isDisabled, isMasked, isInProgress, handlers } = irqState(reader, address);
  if (isInProgress) return 'is in progress on a CPU that does not come back to it';
  if (isDisabled || isMasked) return 'is masked';
  return handlers.length === 0 ? 'has no handler' : undefined;
}
