/**
 * netdump (Red Hat, 2002; the port to netpoll of 2004): the crashed kernel drives its network card
 * by polling and hands its memory page by page to a server that asks for it. Nothing is written to
 * a disk; without a server it asks for one until somebody resets the machine.
 * Source: drivers/net/netdump.c of Red Hat's 2.4.21 and 2.6.9 kernels.
 */

import { assert, DumpError } from '../../bytes/errors.ts';
import { plural } from '../../bytes/text.ts';
import { pageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import { second } from '../../machine/clock.ts';
import { u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { MachineStop } from '../../machine/stop.ts';
import { shake } from '../_net/handshake.ts';
import { finalName, incompleteName, type Link, linkOf } from '../_net/link.ts';
import { lockPlaces, PolledNic, resetLocks, setUpNetpoll } from '../_net/netpoll.ts';
import { Code, type Reply } from '../_net/protocol.ts';
import { placeResident } from '../_net/resident.ts';
import { descriptions } from '../catalogue.ts';
import {
  type CaptureTargets,
  type CaptureTools,
  type DumpMethod,
  done,
  failed,
  isOfKernel,
  type Stage,
  type StageResult,
} from '../method.ts';
import { freezeOthers, isAt } from '../panic-path.ts';
import { saveFrom } from '../save-file.ts';
import { reboot } from '../second-kernel.ts';
import { answerTo, startNetdump } from './client.ts';
import { DumpedMemory } from './memory.ts';
import type { Loaded, NetdumpState } from './state.ts';

export const netdump: DumpMethod<NetdumpState> = {
  ...descriptions.netdump,
  partition: undefined,
  prepare,
  stages: () => [...netdumpStages, { name: 'reboot', run: reboot }],
  targets,
  save: ({ outside }, sink) => saveFrom(outside, [finalName, incompleteName], sink),
};

/** The module's functions: what runs on the panicking CPU, on the others, and for each packet. */
const functions = ['netdump', 'netdump_freeze', 'netdump_send', 'netdump_receive'];
const polling = { send: 'netdump_send', receive: 'netdump_receive' };
const freezeMs = 3000;
/** How often it looks whether its time is up while it is asked for nothing. */
const idleNs = second;
/** Entered a second time, it waits so long and reboots. */
const recursionNs = 3 * second;

/** Up to the reboot: diskdump falls back on them. */
export const netdumpStages: readonly Stage<NetdumpState>[] = [
  { name: 'panic entry', run: orRecursion(enter) },
  { name: 'freeze of the other CPUs', run: orRecursion(freeze) },
  { name: 'own stack, locks', run: orRecursion(switchStack) },
  { name: 'handshake', run: orRecursion(shakeHands) },
  { name: 'memory', run: orRecursion(memoryStage) },
];

/** The module's start at boot: the server's address is configured, netpoll set up. */
export function prepare(machine: Machine): NetdumpState {
  const layout = pageLayout(machine.kernel);
  const server = { protocol: 'netdump', session: undefined } as const;
  const found = setUpNetpoll(machine, polling);
  if (found === undefined) return { layout, loaded: undefined, server };
  const { device, netpoll } = found;
  const resident = placeResident(machine, layout, functions, device);
  machine.ownWrites.declare([...resident.pages, ...lockPlaces(machine, device)]);
  const { kernel, virtual } = machine;
  const magic = BigInt.asUintN(64, (BigInt(machine.time) << 32n) ^ device);
  const pointer = kernel.symbols.inKernel('vmcoreinfo_data');
  const size = kernel.vmcoreinfo.source.length;
  const text = pointer && virtual.u64(pointer.address);
  const vmcoreinfo =
    text === undefined || text === 0n
      ? {}
      : { vmcoreinfo: { physical: virtual.translate(text).physical, size } };
  const greeting = { magic, pageOffset: kernel.toVirtual(0n), ...vmcoreinfo };
  return { layout, loaded: { netpoll, resident, greeting }, server };
}

function targets(machine: Machine, { loaded }: NetdumpState): CaptureTargets {
  if (loaded === undefined) return { code: [], structures: [], reserved: [] };
  const { code, devicePointer } = loaded.resident;
  const at = (address: bigint, size: number): PhysicalRange => {
    const start = Number(machine.virtual.translate(address).physical);
    return { start, end: start + size };
  };
  const device = machine.virtual.u64(devicePointer);
  const size = machine.kernel.types.sizeOf('struct net_device');
  return { code: [code], structures: [at(devicePointer, 8), at(device, size)], reserved: [] };
}

/** A fault in netdump enters netdump again, which knows that and reboots. */
function orRecursion(run: Stage<NetdumpState>['run']): Stage<NetdumpState>['run'] {
  return (machine, state, tools) => {
    try {
      return run(machine, state, tools);
    } catch (error) {
      if (error instanceof DumpError && isOfKernel(error)) throw error;
      const stop = error instanceof DumpError ? machine.stopOf(error) : error;
      if (!(stop instanceof MachineStop)) throw error;
      if (stop.kind !== 'nested fault' && stop.kind !== 'wild jump') throw stop;
      machine.wait(recursionNs, 'netdump is entered again');
      const cause = `${stop.message}; netdump is entered again and reboots after 3 s`;
      throw new MachineStop(stop.kind, cause, stop.object, error);
    }
  };
}

function enter(machine: Machine, { loaded }: NetdumpState): StageResult {
  // It stands where __crash_kexec() does.
  if (!isAt(machine, '__crash_kexec')) machine.panicCpu.executeKnown('panic', 'vpanic');
  if (loaded === undefined) {
    return failed('netdump is not loaded: the machine has no network card', 'net_device');
  }
  machine.panicCpu.execute('netdump');
  return done;
}

/** By an ordinary interrupt: a CPU that has them off goes on with whatever it is at. */
function freeze(machine: Machine): StageResult {
  const { remarks } = freezeOthers(machine, freezeMs, (cpu) => cpu.execute('netdump_freeze'));
  return { ...done, remarks };
}

function switchStack(machine: Machine, state: NetdumpState): StageResult {
  const { resident } = loadedOf(state);
  const { panicCpu } = machine;
  const back = u64Bytes(panicCpu.registers?.rsp ?? 0n);
  panicCpu.write(resident.stackTop - 8n, back, "netdump's stack");
  resetLocks(machine, panicCpu.memory.u64(resident.devicePointer));
  return done;
}

function shakeHands(machine: Machine, state: NetdumpState, tools: CaptureTools): StageResult {
  const { loaded, link } = running(machine, state, tools);
  const hello = startNetdump({ ...loaded.greeting, task: machine.panicCpu.task });
  const answer = shake(machine, link, { hello, magic: loaded.greeting.magic });
  const retries = answer.tries === 1 ? {} : { retries: answer.tries - 1 };
  if (answer.version !== 0) return { ...done, ...retries };
  return failed('the server speaks no version of netdump that this is', 'server');
}

function memoryStage(machine: Machine, state: NetdumpState, tools: CaptureTools): StageResult {
  const parts = running(machine, state, tools);
  try {
    return serveMemory(machine, state, tools, parts);
  } finally {
    // The server outlives the machine.
    parts.link.settle();
  }
}

/** Until the server lets the machine reboot. */
function serveMemory(
  machine: Machine,
  state: NetdumpState,
  tools: CaptureTools,
  { loaded, link }: Running,
): StageResult {
  const memory = new DumpedMemory(machine, state.layout);
  const rate = machine.hardware.cpu.copyBytesPerSecond;
  const counts = { pages: 0, errors: 0, dropped: 0, repeated: 0 };
  const heard = new Set<number>();
  for (let isOver = false; !isOver; ) {
    const replies: Reply[] = [];
    for (const request of link.receive(machine.clock.now + idleNs)) {
      if (request.magic !== loaded.greeting.magic) continue;
      // kmalloc(GFP_ATOMIC): without an object for it the request is dropped.
      if (!memory.hasObjects) {
        counts.dropped++;
        continue;
      }
      const reply = answerTo(request, machine, memory);
      if (reply === undefined) continue;
      if (heard.has(request.seq)) counts.repeated++;
      else if (reply.code === Code.mem) counts.pages++;
      else if (reply.code === Code.error) counts.errors++;
      if (reply.code === Code.endNetdump) isOver = true;
      heard.add(request.seq);
      replies.push(reply);
    }
    link.send(replies);
    machine.work(replies.length * basePageSize, rate, 'netpoll');
    tools.progress?.(counts.pages, memory.endPfn);
  }
  const { pages, errors, dropped, repeated } = counts;
  const remarks = [
    ...(errors === 0 ? [] : [`${plural(errors, 'page')} could not be read`]),
    ...(dropped === 0 ? [] : [`${plural(dropped, 'request')} dropped: no memory`]),
  ];
  const retries = repeated === 0 ? {} : { retries: repeated };
  return { ...done, pages, bytes: pages * basePageSize, remarks, ...retries };
}

interface Running {
  readonly loaded: Loaded;
  readonly link: Link;
}

function running(machine: Machine, state: NetdumpState, { transport }: CaptureTools): Running {
  const loaded = loadedOf(state);
  const nic = new PolledNic(machine, loaded.netpoll, loaded.resident.devicePointer);
  // Its address was configured: netdump does not broadcast.
  return { loaded, link: linkOf(machine, nic, transport, state.server, 'unicast') };
}

function loadedOf({ loaded }: NetdumpState): Loaded {
  assert(loaded !== undefined, 'a module that is not loaded runs no further stage');
  return loaded;
}
