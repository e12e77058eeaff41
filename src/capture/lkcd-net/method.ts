/**
 * LKCD over the network (2002 to 2005): the crashed kernel makes the file as for a disk, and pushes
 * it to a server by a network card that it polls. Nothing is reset: what a stopped CPU holds of the
 * card stays held. It is known by broadcast, or told a hardware address; it gives up where nobody
 * answers.
 */

import { DumpError } from '../../bytes/errors.ts';
import { pageLayout } from '../../linux/page-layout.ts';
import type { Machine } from '../../machine/machine.ts';
import { dumpStages } from '../_lkcd/dump-stages.ts';
import { LkcdFile } from '../_lkcd/file.ts';
import { declareFlags, inDump, panicStages } from '../_lkcd/panic.ts';
import { codeName, loadLkcd } from '../_lkcd/resident.ts';
import { initialState } from '../_lkcd/state.ts';
import { shake } from '../_net/handshake.ts';
import { finalName, incompleteName } from '../_net/link.ts';
import { setUpNetpoll } from '../_net/netpoll.ts';
import { Code, greetingText, protocolVersion } from '../_net/protocol.ts';
import { descriptions } from '../catalogue.ts';
import {
  type CaptureOptions,
  type CaptureTargets,
  type CaptureTools,
  type DumpMethod,
  done,
  failed,
  type StageResult,
} from '../method.ts';
import { saveFrom } from '../save-file.ts';
import { reboot } from '../second-kernel.ts';
import { everyNs, linkTo, maxTries, push, pushEnd } from './push.ts';
import type { LkcdNetState } from './state.ts';

export const lkcdNet: DumpMethod<LkcdNetState> = {
  ...descriptions['lkcd-net'],
  partition: undefined,
  prepare,
  stages: (options) => [
    ...panicStages,
    inDump<LkcdNetState>('handshake', shakeHands),
    ...dumpStages<LkcdNetState>(options, fileOf),
    inDump<LkcdNetState>('end of the file', end),
    { name: 'reboot', run: reboot },
  ],
  targets: (_, { resident }): CaptureTargets => {
    return { code: [...resident.code], structures: [resident.region], reserved: [] };
  },
  save: ({ outside }, sink) => saveFrom(outside, [finalName, incompleteName], sink),
};

/** `lkcd config` at boot. */
function prepare(machine: Machine, options: CaptureOptions): LkcdNetState {
  const { kernel } = machine;
  const own = codeName('dump_write');
  const found = setUpNetpoll(machine, { send: own, receive: own });
  if (found === undefined) {
    throw new DumpError('unsupported', 'this machine has no network card that LKCD could use', {
      hint: 'kexec and mkdump write to a disk',
    });
  }
  const layout = pageLayout(kernel);
  declareFlags(machine);
  return {
    ...initialState(machine, options, layout, loadLkcd(machine, layout, found.device)),
    netpoll: found.netpoll,
    server: { protocol: 'lkcd', session: undefined },
    magic: BigInt.asUintN(64, (BigInt(machine.time) << 32n) ^ found.device),
    pageOffset: kernel.toVirtual(0n),
    block: 0,
    offset: 0,
    written: new Uint8Array(Math.ceil(machine.memory.endPfn / 8)),
    pages: 0,
  };
}

function shakeHands(machine: Machine, state: LkcdNetState, tools: CaptureTools): StageResult {
  const { magic, pageOffset } = state;
  const text = greetingText({ magic, task: machine.panicCpu.task, pageOffset });
  const hello = {
    version: protocolVersion, seq: 0, code: Code.startNetdump, info: 0, payload: [text],
  }; // biome-ignore format: one object
  const answer = shake(machine, linkTo(machine, state, tools), { hello, magic, maxTries });
  const retries = answer.tries === 1 ? {} : { retries: answer.tries - 1 };
  if (answer.version !== undefined) return { ...done, ...retries };
  return {
    ...failed(`no server answers in ${maxTries} tries, a second apart`, 'server'),
    ...retries,
  };
}

function fileOf(machine: Machine, state: LkcdNetState, tools: CaptureTools): LkcdFile {
  const link = linkTo(machine, state, tools);
  return new LkcdFile(state, (offset, parts) => push(machine, link, state, offset, parts));
}

function end(machine: Machine, state: LkcdNetState, tools: CaptureTools): StageResult {
  const link = linkTo(machine, state, tools);
  pushEnd(link);
  // Until it has left: nobody answers.
  link.receive(machine.clock.now + everyNs);
  link.settle();
  return done;
}
