/**
 * Locks that somebody held when the kernel died. The lock's words are written by its type; nobody
 * really holds it: no stack leads into its critical section, so the holder is synthetic.
 * Source: include/asm-generic/qspinlock_types.h (_Q_LOCKED_VAL), include/linux/mutex.h,
 * include/linux/semaphore.h, include/linux/mmzone.h, kernel/sched/sched.h, include/linux/blk-mq.h,
 * include/linux/netdevice.h.
 */

import { attempt, DumpError } from '../../bytes/errors.ts';
import { disks, queueState, type SpinLock, scsiState } from '../../linux/block.ts';
import {
  firstDevice,
  type NetReader,
  napisOf,
  pollOwner,
  transmitLock,
  transmitQueue,
} from '../../linux/net-device.ts';
import { memberAddress } from '../../linux/objects.ts';
import { memoryNodes } from '../../linux/system.ts';
import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import { firstQueue, hardwareQueueOf } from './block.ts';
import { type Effect, type FaultKind, type Strike, wordOf } from './kind.ts';
import { sum, type TypedWord, typedWrites } from './write.ts';

/** _Q_LOCKED_VAL: a queued spinlock without waiters. */
const spinLocked = u32Bytes(1);

const locks: Readonly<Record<string, (machine: Machine) => TypedWord[]>> = {
  kexec: kexecLock,
  console: consoleLock,
  allocator: zoneLock,
  runqueue: runQueueLock,
  queue: ({ kernel }) => [lockWord(firstQueue(kernel).locks[0]!)],
  hctx: hardwareQueueLock,
  host: hostLock,
  'nic-transmit': transmitLockWords,
  'nic-poll': pollOwnerWords,
};

export const lockHeld: FaultKind = {
  name: 'lock-held',
  family: 'platform',
  summary: 'a lock of the crashed kernel is held by somebody who will not release it',
  parameters: [
    {
      name: 'name',
      type: 'choice',
      choices: Object.keys(locks),
      default: 'kexec',
      meaning:
        "kexec's own lock, the console's, that of the panicking CPU's memory zone, that of its " +
        "run queue; of the first disk: its request queue's, that of the panicking CPU's " +
        "hardware queue (hctx), the host adapter's; of the network card: its transmit lock, or " +
        'the ownership of its poll contexts',
    },
  ],
  example: 'lock-held:name=console',
  strike({ machine }: Strike, parameters): Effect {
    const words = locks[wordOf(parameters, 'name')]!(machine);
    const remark = 'the holder is synthetic: no stack of this machine is in its critical section';
    return sum(typedWrites(machine, words), [remark]);
  },
};

function kexecLock({ kernel }: Machine): TypedWord[] {
  // Since v6.1 (05c6257433b7 "panic, kexec: make __crash_kexec() NMI safe"); a mutex before.
  const lock = kernel.symbols.inKernel('__kexec_lock');
  if (lock !== undefined) return [{ what: lock.name, address: lock.address, bytes: u32Bytes(1) }];
  const mutex = kernel.symbols.inKernel('kexec_mutex');
  if (mutex === undefined) throw lacking('__kexec_lock', 'kexec_mutex');
  const owner = mutex.address + BigInt(kernel.types.offsetOf('struct mutex', 'owner'));
  const holder = u64Bytes(kernel.symbol('init_task').address);
  return [{ what: 'kexec_mutex.owner', address: owner, bytes: holder }];
}

function consoleLock({ kernel }: Machine): TypedWord[] {
  const semaphore = kernel.symbols.inKernel('console_sem');
  if (semaphore === undefined) throw lacking('console_sem');
  const count = semaphore.address + BigInt(kernel.types.offsetOf('struct semaphore', 'count'));
  const flag = kernel.symbols.inKernel('console_locked');
  return [
    { what: 'console_sem.count', address: count, bytes: u32Bytes(0) },
    ...(flag === undefined ? [] : [{ what: flag.name, address: flag.address, bytes: u32Bytes(1) }]),
  ];
}

/** The highest zone with pages of the panicking CPU's node: allocations come from there first. */
function zoneLock({ kernel, panic }: Machine): TypedWord[] {
  const nodes = memoryNodes(kernel);
  // Per CPU with CONFIG_NUMA.
  const node = attempt(() => kernel.memory.i32(kernel.perCpu('numa_node', panic.cpu))) ?? 0;
  const address = nodes[node] ?? nodes[0];
  if (address === undefined) throw lacking('memory node');
  const data = kernel.object('struct pglist_data', address);
  const zones = Math.min(Number(data.nr_zones), 8);
  for (let index = zones - 1; index >= 0; index--) {
    const zone = data.node_zones[index];
    if (zone.present_pages === 0n) continue;
    const name = attempt(() => kernel.memory.cstring(zone.name, 16)) ?? `${index}`;
    const lock = memberAddress(zone, 'lock');
    return [{ what: `lock of zone ${name}`, address: lock, bytes: spinLocked }];
  }
  throw lacking('zone with pages');
}

function runQueueLock({ kernel, panic }: Machine): TypedWord[] {
  const queue = kernel.perCpu('runqueues', panic.cpu);
  // Since v5.14 (5cb9eaa3d274 "sched: Wrap rq::lock access") it is called __lock.
  const member = kernel.types.hasMember('struct rq', '__lock') ? '__lock' : 'lock';
  const address = queue + BigInt(kernel.types.offsetOf('struct rq', member));
  return [{ what: `runqueues.${member} of CPU ${panic.cpu}`, address, bytes: spinLocked }];
}

/** hctx->lock of the queue that the panicking CPU's requests go through. */
function hardwareQueueLock({ kernel, panic }: Machine): TypedWord[] {
  const queue = firstQueue(kernel);
  return [lockWord(hardwareQueueOf(kernel, queue, panic.cpu).lock)];
}

function hostLock({ kernel }: Machine): TypedWord[] {
  const disk = disks(kernel).find(({ isScsi }) => isScsi);
  if (disk === undefined) throw lacking('SCSI disk');
  const queue = queueState(kernel, disk.device);
  return [lockWord(scsiState(kernel, queue.address).hostLock)];
}

function lockWord({ name, address }: SpinLock): TypedWord {
  return { what: name, address, bytes: spinLocked };
}

/** __netif_tx_lock(), by a CPU that did not panic where there is one. */
function transmitLockWords(machine: Machine): TypedWord[] {
  const { reader, device } = cardOf(machine);
  const { lock, owner } = transmitLock(reader, transmitQueue(reader, device));
  return [
    { what: '_xmit_lock of the transmit queue', address: lock, bytes: spinLocked },
    { what: 'xmit_lock_owner', address: owner, bytes: u32Bytes(holderOf(machine)) },
  ];
}

/** As poll_napi() marks a context that it polls. */
function pollOwnerWords(machine: Machine): TypedWord[] {
  const { reader, device } = cardOf(machine);
  return napisOf(reader, device).map((napi) => {
    const address = pollOwner(reader, napi);
    return { what: 'poll_owner of a napi_struct', address, bytes: u32Bytes(holderOf(machine)) };
  });
}

function cardOf(machine: Machine): { readonly reader: NetReader; readonly device: bigint } {
  const reader = { memory: machine.virtual, types: machine.kernel.types };
  const device = firstDevice(reader, machine.kernel.symbol('init_net').address);
  if (device === undefined) throw lacking('network card');
  return { reader, device };
}

function holderOf({ cpus, panic }: Machine): number {
  return cpus.find(({ number }) => number !== panic.cpu)?.number ?? panic.cpu;
}

function lacking(...names: readonly string[]): DumpError {
  return new DumpError('unsupported', `this kernel has no ${names.join(' and no ')}`, {
    hint: 'this lock cannot be held in it',
  });
}
