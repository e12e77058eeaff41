/**
 * A file that grows at the dump server: each block is announced until the server asks for it, sent
 * as often as it asks, and done when the server says so. Source: LKCD's dump_netdev.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import { second } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import { Config } from '../_lkcd/resident.ts';
import { type Link, linkOf } from '../_net/link.ts';
import { maxBlock } from '../_net/lkcd-session.ts';
import { PolledNic } from '../_net/netpoll.ts';
import {
  Code,
  Command,
  encodeBlock,
  payloadLength,
  protocolVersion,
  type Reply,
  within,
} from '../_net/protocol.ts';
import type { CaptureTools } from '../method.ts';
import type { LkcdNetState } from './state.ts';

/** How often it says that it is there, or has a block, and how often at most. */
export const everyNs = second;
export const maxTries = 300;
const endings = 6;

export function linkTo(
  machine: Machine,
  { netpoll, resident, server, options }: LkcdNetState,
  { transport }: CaptureTools,
): Link {
  const pointer = resident.config + BigInt(Config.offsetOf('device'));
  const nic = new PolledNic(machine, netpoll, pointer);
  const address = options.generation === 'fixed-mac' ? 'unicast' : 'broadcast';
  return linkOf(machine, nic, transport, server, address);
}

/** Throws `io` where the server does not take it. */
export function push(
  machine: Machine,
  link: Link,
  state: LkcdNetState,
  offset: number,
  parts: readonly Uint8Array[],
): void {
  const length = payloadLength(parts);
  for (let at = 0; at < length; at += maxBlock) {
    const end = Math.min(at + maxBlock, length);
    state.block++;
    pushBlock(machine, link, state, offset + at, within(parts, at, end));
  }
}

function pushBlock(
  machine: Machine,
  link: Link,
  { magic, block: number }: LkcdNetState,
  offset: number,
  payload: readonly Uint8Array[],
): void {
  const place = encodeBlock({ offset, length: payloadLength(payload) });
  for (let tries = 0; tries < maxTries; tries++) {
    link.send([reply(number, Code.startWrite, [place])]);
    const until = machine.clock.now + everyNs;
    while (machine.clock.now < until) {
      for (const { magic: said, command, from, seq } of link.receive(until)) {
        if (said !== magic || from !== number) continue;
        if (command === Command.startWriteAck) return;
        if (command === Command.sendMem) link.send([reply(seq, Code.mem, payload)]);
      }
    }
  }
  throw new DumpError('io', `the server takes nothing at byte ${offset}, ${maxTries} times asked`);
}

/** Says that it is over, more than once: nothing answers to that. */
export function pushEnd(link: Link): void {
  for (let times = 0; times < endings; times++) link.send([reply(0, Code.endNetdump, [])]);
}

function reply(seq: number, code: number, payload: readonly Uint8Array[]): Reply {
  return { version: protocolVersion, seq, code, info: 0, payload };
}
