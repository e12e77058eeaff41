/**
 * A dump server for many machines: packets in, timer in, packets out; it knows neither sockets nor
 * a clock. Memory is bounded by the number of clients and what each may have under way. A packet
 * that belongs to no dump is passed over; no name of a file comes from the network.
 */

import { DumpError } from '../../bytes/errors.ts';
import { maxWindow } from './netdump-session.ts';
import {
  Code,
  decodeReply,
  encodeRequest,
  type NetProtocol,
  type Reply,
  type Request,
} from './protocol.ts';
import { onReply, onStart, type Session, settleFile } from './server.ts';
import { askAgain, giveUp, nextTimer, type ServerLimits, type ServerStore } from './session.ts';

/** Where a packet came from, or goes to. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly protocol: NetProtocol;
}

export interface Outgoing {
  readonly to: Peer;
  readonly packet: Uint8Array;
}

/** Files of a server that may run out of them. */
export interface DumpFiles extends ServerStore {
  /** A name that no file has, with or without `-incomplete`. */
  newName(peer: Peer): string;
  /** A number below 2^32 that nobody can guess. */
  draw(): number;
  /** Nothing more comes: it stays as it is. */
  release(name: string): void;
}

export interface DumpServerLimits extends Omit<ServerLimits, 'window'> {
  /** Machines that dump at a time. */
  readonly clients: number;
}

/** What happened, for people and programs. */
export interface ServerEvent {
  readonly what: 'begins' | 'complete' | 'given up' | 'refused';
  readonly peer: Peer;
  /** Without `-incomplete`; undefined where there is none. */
  readonly file: string | undefined;
  readonly bytes: number;
  /** Why, of what was given up or refused. */
  readonly cause: string | undefined;
}

interface Client {
  readonly peer: Peer;
  session: Session;
  /** What was told of it last. */
  told: Session['phase'] | 'complete';
  /** When its end was seen: it is kept for a while, for packets that come late. */
  endedNs: number | undefined;
}

/**
 * So long nobody can begin a second dump by repeating packets of the first, unless very many have
 * come since: no more than dump at a time are kept besides.
 */
const keptNs = 60e9;

/**
 * Of all clients. With 16 for each of 200 a socket of 4 MB loses most of what comes, and all is
 * sent six times; with 4 nearly nothing is lost there, and a lost packet still holds up few.
 */
const pagesUnderWay = 800;

export class DumpServer {
  readonly #files: DumpFiles;
  readonly #limits: DumpServerLimits;
  readonly #tell: (event: ServerEvent) => void;
  readonly #clients = new Map<string, Client>();
  #active = 0;

  constructor(files: DumpFiles, limits: DumpServerLimits, tell: (event: ServerEvent) => void) {
    this.#files = files;
    this.#limits = limits;
    this.#tell = tell;
  }

  /** Dumps that are not at their end. */
  get active(): number {
    return this.#active;
  }

  /** `packet` is the server's from here on. */
  onPacket(peer: Peer, packet: Uint8Array, nowNs: number): Outgoing[] {
    const reply = decodeReply(packet);
    if (reply === undefined) return [];
    const key = `${peer.protocol} ${peer.address} ${peer.port}`;
    const client = this.#clients.get(key);
    if (reply.code === Code.startNetdump) return this.#onStart(key, peer, client, reply, nowNs);
    if (client === undefined) return [];
    return this.#orEnd(client, nowNs, () =>
      onReply(client.session, reply, nowNs, this.#files, this.#sessionLimits()),
    );
  }

  /** Asks again for what did not come, and ends what never will. */
  onTimer(nowNs: number): Outgoing[] {
    const outgoing: Outgoing[] = [];
    for (const [key, client] of this.#clients) {
      if (client.endedNs !== undefined) {
        if (nowNs - client.endedNs > keptNs) this.#clients.delete(key);
        continue;
      }
      if ((nextTimer(client.session) ?? Number.POSITIVE_INFINITY) > nowNs) continue;
      for (const one of this.#orEnd(client, nowNs, () => askAgain(client.session, nowNs))) {
        outgoing.push(one);
      }
    }
    return outgoing;
  }

  /** The server ends: what it has stays, and can be read. */
  stop(nowNs: number): void {
    for (const client of this.#clients.values()) {
      if (client.endedNs !== undefined) continue;
      this.#orEnd(client, nowNs, () => {
        giveUp(client.session, 'the server was ended');
        return [];
      });
    }
  }

  /** What all are asked for at a time may not be much more than a socket keeps. */
  #sessionLimits(): ServerLimits {
    const share = Math.floor(pagesUnderWay / Math.max(1, this.active));
    return { ...this.#limits, window: Math.max(1, Math.min(maxWindow, share)) };
  }

  #onStart(
    key: string,
    peer: Peer,
    client: Client | undefined,
    reply: Reply,
    nowNs: number,
  ): Outgoing[] {
    if (client === undefined && this.active >= this.#limits.clients) {
      const cause = `${this.#limits.clients} machines dump already`;
      this.#tell({ what: 'refused', peer, file: undefined, bytes: 0, cause });
      return [];
    }
    const begin = () => ({ name: this.#files.newName(peer), seq: this.#files.draw() });
    const start = onStart(client?.session, peer.protocol, reply, nowNs, begin);
    if (start === undefined) return [];
    const { session, requests } = start;
    if (session !== client?.session) {
      if (client !== undefined) this.#files.release(client.session.name);
      else if (this.#clients.size >= 2 * this.#limits.clients) this.#forgetOne();
      if (client === undefined || client.endedNs !== undefined) this.#active++;
      this.#clients.set(key, { peer, session, told: 'open', endedNs: undefined });
      this.#tell({ what: 'begins', peer, file: session.name, bytes: 0, cause: undefined });
    }
    return this.#outgoing(peer, requests);
  }

  /** Of those that are at their end, the first that came. */
  #forgetOne(): void {
    const ended = [...this.#clients].find(([, { endedNs }]) => endedNs !== undefined);
    if (ended !== undefined) this.#clients.delete(ended[0]);
  }

  /** What the disk refuses ends this dump and no other one. */
  #orEnd(client: Client, nowNs: number, body: () => readonly Request[]): Outgoing[] {
    const { session, peer } = client;
    let requests: readonly Request[] = [];
    try {
      requests = body();
      settleFile(session, this.#files);
    } catch (error) {
      if (!(error instanceof DumpError) || error.code !== 'io') throw error;
      giveUp(session, error.message);
    }
    this.#note(client, nowNs);
    return this.#outgoing(peer, requests);
  }

  /** A dump is whole before its machine was let go. */
  #note(client: Client, nowNs: number): void {
    const { session, peer } = client;
    const { name: file, bytes, cause, phase } = session;
    const isComplete = session.outcome === 'done' || phase === 'done';
    if (isComplete && client.told !== 'complete') {
      client.told = 'complete';
      this.#tell({ what: 'complete', peer, file, bytes, cause: undefined });
    }
    if (phase === 'open' || client.endedNs !== undefined) return;
    client.endedNs = nowNs;
    this.#active--;
    this.#files.release(file);
    if (isComplete) return;
    this.#tell({ what: 'given up', peer, file: bytes > 0 ? file : undefined, bytes, cause });
  }

  #outgoing(to: Peer, requests: readonly Request[]): Outgoing[] {
    return requests.map((request) => ({ to, packet: encodeRequest(request) }));
  }
}
