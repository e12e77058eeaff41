/**
 * What lies between the machine's network card and a dump server: a wire with a rate, a latency,
 * and whatever is wrong with it. Chance is a generator of its own, whose state is part of the
 * network: the same faults lose the same packets. Packets are handed on as they are, not copied.
 */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { Clock } from './clock.ts';
import type { HardwareProfile } from './hardware.ts';
import type { Trace } from './trace.ts';

/** What is wrong with it. Plain data. */
export interface NetworkCondition {
  /** Packets of a thousand that are lost, that come twice, that others overtake. */
  lossPermille: number;
  duplicatePermille: number;
  reorderPermille: number;
  /** Added to the latency of every packet. */
  delayNs: number;
  server: 'up' | 'down';
  /** Whether the hardware address that the machine was told is the server's, or its router's. */
  serverMac: 'right' | 'wrong';
  /** Broadcasts do not leave their segment. */
  serverSegment: 'same' | 'other';
  /** Of the generator. */
  random: readonly number[];
}

export type Side = 'machine' | 'server';

interface Flight {
  readonly to: Side;
  readonly atNs: number;
  readonly packets: readonly unknown[];
}

export interface SavedNetwork {
  readonly condition: NetworkCondition;
  readonly flights: readonly Flight[];
  readonly freeAtNs: readonly [machine: number, server: number];
}

/** Preamble, addresses, checksum, gap; IP and UDP: what each packet takes of the wire besides. */
const overhead = 38 + 20 + 8;
/** How many latencies a packet that is overtaken comes late. */
const overtakenBy = 8;

export class Network {
  condition: NetworkCondition;
  readonly #clock: Clock;
  readonly #profile: HardwareProfile['network'];
  readonly #trace: Trace;
  /** By time of arrival; those of one time in the order that they were sent in. */
  readonly #flights: Flight[];
  /** When the last byte sent so far leaves each side. */
  readonly #freeAt: Record<Side, number>;

  constructor(
    clock: Clock,
    profile: HardwareProfile['network'],
    trace: Trace,
    saved?: SavedNetwork,
  ) {
    this.#clock = clock;
    this.#profile = profile;
    this.#trace = trace;
    this.condition = { ...(saved?.condition ?? sound()) };
    this.#flights = [...(saved?.flights ?? [])];
    const [machine, server] = saved?.freeAtNs ?? [0, 0];
    this.#freeAt = { machine, server };
  }

  /** Whether packets that leave together arrive together, all of them. */
  get isPerfect(): boolean {
    const { lossPermille, duplicatePermille, reorderPermille } = this.condition;
    return lossPermille === 0 && duplicatePermille === 0 && reorderPermille === 0;
  }

  /** When the next packets arrive at either side; undefined: nothing is under way. */
  get nextNs(): number | undefined {
    return this.#flights[0]?.atNs;
  }

  /**
   * Sends packets that leave one after the other; `datagrams` and `bytes` are those of all of them.
   * `address`: where the machine sends them to.
   */
  send(
    to: Side,
    packets: readonly unknown[],
    size: { readonly datagrams: number; readonly bytes: number },
    address: 'broadcast' | 'unicast' = 'unicast',
  ): void {
    const from: Side = to === 'machine' ? 'server' : 'machine';
    const { bytesPerSecond, latencyNs } = this.#profile;
    const start = Math.max(this.#clock.now, this.#freeAt[from]);
    const onWire = ((size.bytes + size.datagrams * overhead) / bytesPerSecond) * 1e9;
    this.#freeAt[from] = start + onWire;
    if (from === 'machine') this.#trace.span('nic', start, start + onWire, 'send');
    if (!this.#isReached(to, address)) return;
    const atNs = Math.ceil(start + onWire + latencyNs + this.condition.delayNs);
    if (this.isPerfect) this.#add({ to, atNs, packets });
    else for (const packet of packets) this.#try({ to, atNs, packets: [packet] });
  }

  /** What arrives next, if its time has come. */
  take(): { readonly to: Side; readonly packets: readonly unknown[] } | undefined {
    const first = this.#flights[0];
    if (first === undefined || first.atNs > this.#clock.now) return undefined;
    this.#flights.shift();
    return first;
  }

  save(): SavedNetwork {
    return {
      condition: { ...this.condition },
      flights: [...this.#flights],
      freeAtNs: [this.#freeAt.machine, this.#freeAt.server],
    };
  }

  #isReached(to: Side, address: 'broadcast' | 'unicast'): boolean {
    const { server, serverMac, serverSegment } = this.condition;
    if (server === 'down') return false;
    if (to === 'machine') return true;
    return address === 'broadcast' ? serverSegment === 'same' : serverMac === 'right';
  }

  /** One packet, with the chance that is its own. */
  #try(flight: Flight): void {
    const { condition } = this;
    const generator = xoroshiro128plusFromState(condition.random);
    const happens = (permille: number): boolean => uniformInt(generator, 0, 999) < permille;
    const isLost = happens(condition.lossPermille);
    const isTwice = happens(condition.duplicatePermille);
    const isLate = happens(condition.reorderPermille);
    condition.random = generator.getState();
    if (isLost) return;
    const lateNs = this.#profile.latencyNs * overtakenBy;
    this.#add(isLate ? { ...flight, atNs: flight.atNs + lateNs } : flight);
    if (isTwice) this.#add({ ...flight, atNs: flight.atNs + this.#profile.latencyNs });
  }

  #add(flight: Flight): void {
    let at = this.#flights.length;
    while (at > 0 && this.#flights[at - 1]!.atNs > flight.atNs) at--;
    this.#flights.splice(at, 0, flight);
  }
}

function sound(): NetworkCondition {
  return {
    lossPermille: 0,
    duplicatePermille: 0,
    reorderPermille: 0,
    delayNs: 0,
    server: 'up',
    serverMac: 'right',
    serverSegment: 'same',
    random: [1, 2, 3, 4],
  };
}
