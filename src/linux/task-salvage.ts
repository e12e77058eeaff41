/**
 * Tasks beyond a broken list. Every process ID leads to its task, and every task names others: its
 * neighbours on the lists of processes, of threads and of siblings, its parent and its leader. All
 * that can be reached by any of these are found, as long as they look like tasks.
 */

import { attempt } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { addressOf, hasMember, type KernelObject, memberAddress } from './objects.ts';

interface SalvageKernel {
  readonly memory: AddressSpace;
  object(type: string, address: bigint): KernelObject;
  variable(name: string): KernelObject;
}

/** PID_MAX_LIMIT of 64-bit kernels. */
const maxPid = 4 * 1024 * 1024;
/** MAX_PRIO, include/linux/sched/prio.h. */
const maxPriority = 140;
const lowestKernelAddress = 0xff00_0000_0000_0000n;

/** A pointer in a task, and what lies between what it points to and the start of that task. */
interface Link {
  readonly at: bigint;
  readonly back: bigint;
}

/** Tasks that are not in `known`, which is added to; none where types or memory are lacking. */
export function* salvageTasks(kernel: SalvageKernel, known: Set<bigint>): Generator<KernelObject> {
  const links = attempt(() => linksOf(kernel));
  if (links === undefined) return;
  const tried = new Set(known);
  const queue = [...known];
  const found = (candidate: bigint): KernelObject | undefined => {
    if (tried.has(candidate) || tried.size > maxPid) return undefined;
    tried.add(candidate);
    const view = kernel.object('struct task_struct', candidate);
    if (attempt(() => looksLikeTask(view)) !== true) return undefined;
    known.add(candidate);
    queue.push(candidate);
    return view;
  };
  for (const candidate of attempt(() => [...tasksByPid(kernel)]) ?? []) {
    const view = found(candidate);
    if (view !== undefined) yield view;
  }
  for (let task = queue.pop(); task !== undefined; task = queue.pop()) {
    for (const { at, back } of links) {
      const target = attempt(() => kernel.memory.u64(task! + at));
      const view = target === undefined ? undefined : found(BigInt.asUintN(64, target - back));
      if (view !== undefined) yield view;
    }
  }
}

/** Six bits of an ID a level. */
const slotsOfNode = 64;
/** Of PID_MAX_LIMIT: 22 bits take 4 levels. */
const maxNodes = maxPid / slotsOfNode + 4096;

/**
 * The IDs of the first PID namespace, which has every task: an xarray of struct pid (since v4.15,
 * 95846ecf9dac "pid: replace pid bitmap implementation with IDR API"). Nodes that are lost are
 * passed over.
 */
function* tasksByPid(kernel: SalvageKernel): Generator<bigint> {
  const { memory } = kernel;
  const namespace = kernel.variable('init_pid_ns');
  const link = memberAddress(kernel.object('struct task_struct', 0n), 'pid_links');
  const tasks = memberAddress(kernel.object('struct pid', 0n), 'tasks');
  const slots = memberAddress(kernel.object('struct xa_node', 0n), 'slots');
  const queue = [memory.u64(memberAddress(namespace, 'idr.idr_rt.xa_head'))];
  const seen = new Set<bigint>();
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    if ((entry & 3n) === 2n) {
      // xa_is_node(): the pointer to a node has bit 1 set.
      const node = entry & ~3n;
      if (seen.has(node) || seen.size > maxNodes) continue;
      seen.add(node);
      const view = attempt(() => memory.view(node + slots, slotsOfNode * 8));
      for (let slot = 0; view !== undefined && slot < slotsOfNode; slot++) {
        queue.push(view.getBigUint64(slot * 8, true));
      }
    } else if ((entry & 3n) === 0n && entry !== 0n) {
      // PIDTYPE_PID is the first of its lists.
      const first = attempt(() => memory.u64(entry! + tasks));
      if (first !== undefined && first !== 0n) yield first - link;
    }
  }
}

function linksOf(kernel: SalvageKernel): Link[] {
  const task = kernel.object('struct task_struct', 0n);
  const at = (path: string): bigint => memberAddress(task, path);
  // Either way along a list, from a member to a member of the next task.
  const list = (from: string, to: string) =>
    ['next', 'prev'].map((way) => ({ at: at(`${from}.${way}`), back: at(to) }));
  const pointer = (member: string) => ({ at: at(member), back: 0n });
  return [
    ...list('tasks', 'tasks'),
    ...(hasMember(task, 'thread_node') ? list('thread_node', 'thread_node') : []),
    ...list('sibling', 'sibling'),
    ...list('children', 'sibling'),
    pointer('real_parent'),
    pointer('group_leader'),
  ];
}

/** What lists also lead to, their heads in other objects, does not; nor do overwritten bytes. */
function looksLikeTask(task: KernelObject): boolean {
  const address = addressOf(task);
  if (address < lowestKernelAddress || (address & 0x3fn) !== 0n) return false;
  const stack: bigint = task.stack;
  return (
    stack >= lowestKernelAddress &&
    (stack & 0xfffn) === 0n &&
    task.pid >= 0 &&
    task.pid <= maxPid &&
    task.prio >= 0 &&
    task.prio < maxPriority &&
    /^[\x20-\x7e]{1,15}$/.test(task.comm)
  );
}
