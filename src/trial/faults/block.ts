/**
 * What the crashed kernel's block layer can be caught in: a queue that takes no request, an
 * interrupt that is not handled any more. Written by its types into the queue and the descriptor
 * that the panicking CPU's requests to the first disk go through.
 * Source: block/blk-mq.c, include/linux/sbitmap.h, include/linux/irq.h.
 */

import { DumpError } from '../../bytes/errors.ts';
import {
  disks,
  type HardwareQueue,
  type QueueState,
  queueOfCpu,
  queueState,
} from '../../linux/block.ts';
import { driverQueue } from '../../linux/disk-driver.ts';
import { irqDescriptors, irqFlags, irqState } from '../../linux/irq.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import { type Effect, type FaultKind, numberOf, type Strike, wordOf } from './kind.ts';
import { sum, type TypedWord, typedWrites } from './write.ts';

const synthetic = 'synthetic: no stack of this machine has brought it about';

const stuck: Readonly<Record<string, (machine: Machine) => TypedWord[]>> = {
  tags: takenTags,
  frozen: (machine) => [depthOf(machine, 'mq_freeze_depth')],
  quiesced: (machine) => [depthOf(machine, 'quiesce_depth')],
};

const queueStuck: FaultKind = {
  name: 'queue-stuck',
  family: 'device',
  summary: "the crashed kernel's own queue of the disk takes no request",
  parameters: [
    {
      name: 'how',
      type: 'choice',
      choices: Object.keys(stuck),
      default: 'tags',
      meaning: 'every tag of its hardware queue is taken, or it is frozen, or quiesced',
    },
  ],
  example: 'queue-stuck:how=frozen',
  strike({ machine }: Strike, parameters): Effect {
    return sum(typedWrites(machine, stuck[wordOf(parameters, 'how')]!(machine)), [synthetic]);
  },
};

const irqStates: Readonly<Record<string, number>> = {
  'in-progress': irqFlags.inProgress,
  masked: irqFlags.masked | irqFlags.disabled,
};

const interruptStuck: FaultKind = {
  name: 'interrupt-stuck',
  family: 'device',
  summary: "the crashed kernel does not handle the disk's interrupt any more",
  parameters: [
    {
      name: 'how',
      type: 'choice',
      choices: Object.keys(irqStates),
      default: 'in-progress',
      meaning: 'a CPU was in its handler when it stopped, or it is masked and disabled',
    },
  ],
  example: 'interrupt-stuck:how=masked',
  strike({ machine }: Strike, parameters): Effect {
    const word = irqWord(machine, irqStates[wordOf(parameters, 'how')]!);
    return sum(typedWrites(machine, [word]), [synthetic]);
  },
};

const queueBusy: FaultKind = {
  name: 'queue-busy',
  family: 'device',
  summary: 'requests of the crashed kernel have their tags in its own queue of the disk',
  parameters: [
    { name: 'requests', type: 'number', min: 1, max: 1024, default: 32, meaning: 'how many' },
  ],
  example: 'queue-busy:requests=8',
  strike({ machine }: Strike, parameters): Effect {
    const words = moreTags(machine, numberOf(parameters, 'requests'));
    return sum(typedWrites(machine, words), [synthetic]);
  },
};

export const blockFaults: readonly FaultKind[] = [queueStuck, queueBusy, interruptStuck];

/** Of the first disk. Throws `unsupported` where there is none. */
export function firstQueue(kernel: Kernel): QueueState {
  const [disk] = disks(kernel);
  if (disk === undefined) throw new DumpError('unsupported', 'this machine has no disk in memory');
  return queueState(kernel, disk.device);
}

/** The hardware queue that requests of a CPU go through. */
export function hardwareQueueOf(kernel: Kernel, queue: QueueState, cpu: number): HardwareQueue {
  const own = queueOfCpu(kernel, queue.address, kernel.perCpuOffset(cpu));
  const found = queue.hardware.find(({ address }) => address === own);
  if (found !== undefined) return found;
  throw new DumpError('unsupported', `CPU ${cpu} has no hardware queue of the first disk`);
}

function depthOf({ kernel }: Machine, member: string): TypedWord {
  const { address } = firstQueue(kernel);
  const offset = BigInt(kernel.types.offsetOf('struct request_queue', member));
  return { what: `request_queue.${member}`, address: address + offset, bytes: u32Bytes(1) };
}

/** A word of a map of tags: bits that were taken, and those of them that were given back. */
interface TagWord {
  readonly what: string;
  readonly map: string;
  /** Addresses. */
  readonly taken: bigint;
  readonly cleared: bigint;
  readonly bits: number;
}

/** Of the hardware queue that requests of the panicking CPU go through. */
function tagWords({ kernel, panic }: Machine): TagWord[] {
  const { tags } = hardwareQueueOf(kernel, firstQueue(kernel), panic.cpu);
  const at = (member: string): bigint =>
    BigInt(kernel.types.offsetOf('struct sbitmap_word', member));
  const size = BigInt(kernel.types.sizeOf('struct sbitmap_word'));
  return tags.flatMap(({ name, address, depth }) => {
    const map = kernel.memory.u64(address + BigInt(kernel.types.offsetOf('struct sbitmap', 'map')));
    const shift = kernel.memory.u32(
      address + BigInt(kernel.types.offsetOf('struct sbitmap', 'shift')),
    );
    return Array.from({ length: Math.ceil(depth / 2 ** shift) }, (_, index) => {
      const word = map + BigInt(index) * size;
      return {
        what: `${name} word ${index}`,
        map: name,
        taken: word + at('word'),
        cleared: word + at('cleared'),
        bits: Math.min(2 ** shift, depth - index * 2 ** shift),
      };
    });
  });
}

/** All bits set, none of them given back. */
function takenTags(machine: Machine): TypedWord[] {
  return tagWords(machine).flatMap(({ what, taken, cleared }) => [
    { what, address: taken, bytes: u64Bytes(0xffff_ffff_ffff_ffffn) },
    { what: `${what}, cleared`, address: cleared, bytes: u64Bytes(0n) },
  ]);
}

/** The first free tags of each map: as many as there are, at most `count`. */
function moreTags(machine: Machine, count: number): TypedWord[] {
  const left = new Map<string, number>();
  return tagWords(machine).flatMap(({ what, map, taken, cleared, bits }) => {
    let [word, given] = [machine.kernel.memory.u64(taken), machine.kernel.memory.u64(cleared)];
    let more = left.get(map) ?? count;
    for (let bit = 0; bit < bits && more > 0; bit++) {
      const mask = 1n << BigInt(bit);
      if ((word & ~given & mask) !== 0n) continue;
      word |= mask;
      given &= ~mask;
      more--;
    }
    left.set(map, more);
    return [
      { what, address: taken, bytes: u64Bytes(word) },
      { what: `${what}, cleared`, address: cleared, bytes: u64Bytes(given) },
    ];
  });
}

function irqWord({ kernel, panic }: Machine, flags: number): TypedWord {
  const [disk] = disks(kernel);
  const queue = firstQueue(kernel);
  const { number } = hardwareQueueOf(kernel, queue, panic.cpu);
  const ring = driverQueue(kernel, disk!, queue, number)?.ring;
  for (const [irq, address] of irqDescriptors(kernel, kernel.symbols)) {
    if (!irqState(kernel, address).handlers.some(({ deviceId }) => deviceId === ring)) continue;
    const member = 'irq_common_data.state_use_accessors';
    const place = address + BigInt(kernel.types.offsetOf('struct irq_desc', member));
    const bytes = u32Bytes(kernel.memory.u32(place) | flags);
    return { what: `irq_desc of interrupt ${irq}`, address: place, bytes };
  }
  throw new DumpError('unsupported', "the interrupt of this machine's disk is not known");
}
