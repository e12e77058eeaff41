/**
 * What a real dump server has, as far as the machine that dumps to it can know: the file that its
 * packets make with a server of the same protocol. A block of LKCD counts when it is acknowledged.
 * netdump's server acknowledges nothing but the whole, when it lets the machine reboot: until then
 * a page counts when it was sent, as it was sent last.
 */

import { lkcdSession, writeBlock } from './lkcd-session.ts';
import { netdumpSession, noteAnswer, noteReboot, settle } from './netdump-session.ts';
import {
  Code,
  Command,
  decodeBlock,
  type NetProtocol,
  parseGreeting,
  type Reply,
  type Request,
} from './protocol.ts';
import type { Session } from './server.ts';
import { type ServerLimits, type ServerStore, sessionBase } from './session.ts';

/** Plain data. */
export interface MirroredServer {
  readonly protocol: NetProtocol;
  session: Session | undefined;
}

export class ServerMirror {
  readonly #server: MirroredServer;
  readonly #name: string;
  readonly #store: ServerStore;
  readonly #limits: ServerLimits;
  /** What is not answered yet, by number. */
  readonly #heard = new Map<number, Request>();
  /** The bytes of the block that is being pushed. */
  #block: readonly Uint8Array[] = [];

  constructor(server: MirroredServer, name: string, store: ServerStore, limits: ServerLimits) {
    this.#server = server;
    this.#name = name;
    this.#store = store;
    this.#limits = limits;
  }

  /** A request that the machine took. */
  heard(request: Request): void {
    const { session } = this.#server;
    if (session === undefined || request.magic !== session.greeting.magic) return;
    if (session.protocol === 'netdump') {
      this.#heard.set(request.seq, request);
      if (request.command === Command.reboot) noteReboot(session, this.#store);
    } else if (request.command === Command.startWriteAck && session.block !== undefined) {
      if (request.from === session.block.number) {
        writeBlock(session, session.block, this.#block, this.#store);
      }
    }
  }

  /** A reply all of whose packets left. */
  said(reply: Reply): void {
    if (reply.code === Code.startNetdump) this.#begin(reply);
    const { session } = this.#server;
    if (session?.protocol === 'netdump') {
      const request = this.#heard.get(reply.seq);
      this.#heard.delete(reply.seq);
      if (request === undefined) return;
      noteAnswer(session, request, reply, this.#store, this.#limits);
      settle(session, this.#store);
    } else if (session !== undefined) {
      this.#onLkcd(session, reply);
    }
  }

  #begin({ payload }: Reply): void {
    const greeting = parseGreeting(payload);
    if (greeting === undefined || this.#server.session !== undefined) return;
    const base = sessionBase(this.#name, greeting, 0, 0);
    const isNetdump = this.#server.protocol === 'netdump';
    this.#server.session = isNetdump ? netdumpSession(base) : lkcdSession(base);
  }

  #onLkcd(session: Session & { readonly protocol: 'lkcd' }, reply: Reply): void {
    if (reply.code === Code.startWrite) {
      const place = decodeBlock(reply.payload);
      if (place !== undefined) session.block = { ...place, number: reply.seq };
    } else if (reply.code === Code.mem) {
      this.#block = reply.payload;
    } else if (reply.code === Code.endNetdump && session.phase === 'open') {
      session.phase = 'done';
      if (session.written > 0) this.#store.complete(session.name);
    }
  }
}
