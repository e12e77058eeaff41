/**
 * The way of packets between the crashed machine's client and a dump server: over the emulated
 * network, with the server's state machine at its end, or over a real one that somebody lends.
 * Time passes here and nowhere else in a network dump.
 */

import { millisecond } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import type { OutsideFiles } from '../../machine/outside.ts';
import type { Transport } from '../method.ts';
import { ServerMirror } from './mirror.ts';
import { maxWindow } from './netdump-session.ts';
import type { PolledNic } from './netpoll.ts';
import {
  bytesOf,
  datagramsOf,
  decodeRequest,
  encodeReply,
  type NetProtocol,
  type Reply,
  type Request,
  requestSize,
  split,
} from './protocol.ts';
import { onReply, onStart, type Session, settleFile } from './server.ts';
import { askAgain, nextTimer, type ServerStore } from './session.ts';

export interface Link {
  send(replies: readonly Reply[]): void;
  /** What comes until then, as soon as something does; empty: the time is up. */
  receive(deadlineNs: number): readonly Request[];
  /** The dump is over: what the server has is on its disk. */
  settle(): void;
}

/** Plain data: the server of an emulated network, or what is known of a real one. */
export interface KnownServer {
  readonly protocol: NetProtocol;
  session: Session | undefined;
}

export const incompleteName = 'vmcore-incomplete';
export const finalName = 'vmcore';

const newFile = () => ({ name: finalName, seq: 0 });
const limits = { bytes: Number.MAX_SAFE_INTEGER, window: maxWindow };

export class EmulatedLink implements Link {
  readonly #machine: Machine;
  readonly #nic: PolledNic;
  readonly #server: KnownServer;
  readonly #address: 'broadcast' | 'unicast';
  readonly #store: ServerStore;

  constructor(
    machine: Machine,
    nic: PolledNic,
    server: KnownServer,
    address: 'broadcast' | 'unicast',
  ) {
    this.#machine = machine;
    this.#nic = nic;
    this.#server = server;
    this.#address = address;
    this.#store = outsideStore(machine.outside);
  }

  send(replies: readonly Reply[]): void {
    const { network } = this.#machine;
    let datagrams = 0;
    let bytes = 0;
    for (const reply of replies) {
      datagrams += datagramsOf(reply);
      bytes += bytesOf(reply);
    }
    if (datagrams === 0 || !this.#nic.send(datagrams)) return;
    const packets = network.isPerfect ? replies : replies.flatMap(split);
    network.send('server', packets, { datagrams, bytes }, this.#address);
  }

  receive(deadlineNs: number): readonly Request[] {
    const { network, clock } = this.#machine;
    for (;;) {
      const arrived = network.take();
      if (arrived?.to === 'machine') {
        if (this.#nic.poll()) return arrived.packets as readonly Request[];
      } else if (arrived !== undefined) {
        this.#serve(arrived.packets as readonly Reply[]);
      } else {
        this.#serveTimer();
        if (clock.now >= deadlineNs) return [];
        this.#machine.spend(Math.max(1, this.#nextNs(deadlineNs) - clock.now), 'netpoll');
      }
    }
  }

  settle(): void {
    if (this.#server.session !== undefined) settleFile(this.#server.session, this.#store);
  }

  #nextNs(deadlineNs: number): number {
    const { session } = this.#server;
    const timer = session === undefined ? undefined : nextTimer(session);
    const next = this.#machine.network.nextNs;
    return Math.min(next ?? deadlineNs, timer ?? deadlineNs, deadlineNs);
  }

  #serve(replies: readonly Reply[]): void {
    const { now } = this.#machine.clock;
    const server = this.#server;
    const requests: Request[] = [];
    for (const reply of replies) {
      const start = onStart(server.session, server.protocol, reply, now, newFile);
      if (start !== undefined) {
        server.session = start.session;
        // One by one: who takes the first may not wait for the second.
        for (const request of start.requests) this.#answer([request]);
      } else if (server.session !== undefined) {
        requests.push(...onReply(server.session, reply, now, this.#store, limits));
      }
    }
    this.#answer(requests);
  }

  #serveTimer(): void {
    const { session } = this.#server;
    const timer = session && nextTimer(session);
    const { now } = this.#machine.clock;
    if (session === undefined || timer === undefined || timer > now) return;
    this.#answer(askAgain(session, now));
    if (session.phase === 'given up') this.settle();
  }

  #answer(requests: readonly Request[]): void {
    const datagrams = requests.length;
    if (datagrams === 0) return;
    const size = { datagrams, bytes: datagrams * requestSize };
    this.#machine.network.send('machine', requests, size);
  }
}

function outsideStore(outside: OutsideFiles): ServerStore {
  return {
    incomplete: () => outside.append(incompleteName),
    complete: () => outside.rename(incompleteName, finalName),
  };
}

/** Over a real network: virtual time passes as real time does. */
class RealLink implements Link {
  readonly #machine: Machine;
  readonly #nic: PolledNic;
  readonly #transport: Transport;
  readonly #mirror: ServerMirror;

  constructor(machine: Machine, nic: PolledNic, server: KnownServer, transport: Transport) {
    this.#machine = machine;
    this.#nic = nic;
    this.#transport = transport;
    this.#mirror = new ServerMirror(server, finalName, outsideStore(machine.outside), limits);
  }

  send(replies: readonly Reply[]): void {
    for (const reply of replies) {
      let isSent = true;
      for (const packet of split(reply)) {
        if (this.#nic.send(1)) this.#transport.send(encodeReply(packet));
        else isSent = false;
      }
      if (isSent) this.#mirror.said(reply);
    }
  }

  receive(deadlineNs: number): readonly Request[] {
    const { clock } = this.#machine;
    while (clock.now < deadlineNs) {
      const limitMs = Math.ceil((deadlineNs - clock.now) / millisecond);
      const { packet, waitedMs } = this.#transport.receive(limitMs);
      const waitedNs = Math.min(waitedMs * millisecond, deadlineNs - clock.now);
      // Something came at once: its way takes time all the same.
      this.#machine.spend(Math.max(waitedNs, this.#machine.hardware.network.latencyNs), 'netpoll');
      const request = packet && decodeRequest(packet);
      if (request === undefined || !this.#nic.poll()) continue;
      this.#mirror.heard(request);
      return [request];
    }
    return [];
  }

  settle(): void {}
}

/** Which of both a run has. */
export function linkOf(
  machine: Machine,
  nic: PolledNic,
  transport: Transport | undefined,
  server: KnownServer,
  address: 'broadcast' | 'unicast',
): Link {
  return transport === undefined
    ? new EmulatedLink(machine, nic, server, address)
    : new RealLink(machine, nic, server, transport);
}
