/**
 * One crashed machine as a dump server sees it: a state machine of plain data, packet in, timer in,
 * packets out. The emulated network and `tsdump serve` run the same. A file is called by its name
 * when it is whole, `-incomplete` before and where it never is. Memory is bounded by what is asked
 * for and not yet there.
 */

import type { Sink } from '../../bytes/sink.ts';
import { millisecond, second } from '../../machine/clock.ts';
import {
  Command,
  chunkSize,
  type Greeting,
  payloadLength,
  protocolVersion,
  type Reply,
  type Request,
} from './protocol.ts';

/** Where the files of a server are. */
export interface ServerStore {
  /** A file that is not whole yet, to be written on; made where there is none. */
  incomplete(name: string): Sink;
  /** Makes it durable and gives it its name. */
  complete(name: string): void;
}

export interface ServerLimits {
  /** Bytes of one client's file. */
  readonly bytes: number;
  /** Pages that one client is asked for at a time. */
  readonly window: number;
}

/** A request that is not answered yet. */
export interface Asked {
  readonly seq: number;
  readonly command: number;
  readonly from: number;
  sentNs: number;
  tries: number;
  /** What came of its answer in pieces. */
  partial: Partial | undefined;
}

interface Partial {
  readonly bytes: Uint8Array;
  /** By number of the chunk: 1 where it is there. */
  readonly there: Uint8Array;
}

/** What both protocols have. Plain data. */
export interface SessionBase {
  readonly name: string;
  readonly greeting: Greeting;
  /** `open`: it is asked, or may push; `done`: its file is whole; `given up`: it never will be. */
  phase: 'open' | 'done' | 'given up';
  /** What it will be once the client has gone. */
  outcome: 'done' | 'given up' | undefined;
  /** Why it is given up. */
  cause: string | undefined;
  /** Of the last request. */
  seq: number;
  asked: Asked[];
  /** When the last packet of use came. */
  heardNs: number;
  /** Bytes of memory, or of the file, that were taken. */
  bytes: number;
}

export const resendNs = 200 * millisecond;
/** A client that answers nothing for so long is gone: it reboots, or hangs. */
export const silenceNs = 30 * second;

/**
 * `seq`: what its requests are numbered from. Whoever does not hear the server cannot guess it, and
 * what was said in another dump answers nothing in this one.
 */
export function sessionBase(
  name: string,
  greeting: Greeting,
  seq: number,
  nowNs: number,
): SessionBase {
  return {
    name,
    greeting,
    phase: 'open',
    outcome: undefined,
    cause: undefined,
    seq,
    asked: [],
    heardNs: nowNs,
    bytes: 0,
  };
}

export function startAck({ magic }: Greeting): Request {
  return { magic, seq: 0, command: Command.startAck, from: protocolVersion, to: 0 };
}

/** Asks something new, and goes on asking until it is answered. */
export function ask(session: SessionBase, command: number, from: number, nowNs: number): Request {
  const seq = (session.seq + 1) % 2 ** 32;
  session.seq = seq;
  session.asked.push({ seq, command, from, sentNs: nowNs, tries: 1, partial: undefined });
  return requestOf(session, command, seq, from);
}

export function requestOf(
  { greeting }: SessionBase,
  command: number,
  seq: number,
  from: number,
): Request {
  return { magic: greeting.magic, seq, command, from, to: from };
}

/** The request that a reply answers; undefined: none, or one that was answered before. */
export function askedBy({ asked }: SessionBase, { seq }: Reply): Asked | undefined {
  return asked.find((one) => one.seq === seq);
}

export function answered(session: SessionBase, one: Asked, nowNs: number): void {
  session.asked.splice(session.asked.indexOf(one), 1);
  session.heardNs = nowNs;
}

/** What was asked too long ago is asked again; where nothing ever comes, the client is given up. */
export function askAgain(session: SessionBase, nowNs: number): Request[] {
  if (session.phase !== 'open') return [];
  if (nowNs - session.heardNs >= silenceNs) {
    if (session.outcome === undefined) {
      giveUp(session, `nothing came from it for ${silenceNs / second} s`);
    } else session.phase = session.outcome;
    return [];
  }
  const again = session.asked.filter(({ sentNs }) => nowNs - sentNs >= resendNs);
  return again.map((one) => {
    one.sentNs = nowNs;
    one.tries++;
    return requestOf(session, one.command, one.seq, one.from);
  });
}

/** When to call `askAgain`. */
export function nextTimer({ phase, asked, heardNs }: SessionBase): number | undefined {
  if (phase !== 'open') return undefined;
  return asked.reduce((next, { sentNs }) => Math.min(next, sentNs + resendNs), heardNs + silenceNs);
}

export function giveUp(session: SessionBase, cause: string): void {
  session.phase = 'given up';
  session.cause = cause;
  session.asked = [];
}

/**
 * The `size` bytes that a request is answered with, once all are there: the parts as they came
 * where they came in one piece. Chunks that do not fit are passed over.
 */
export function assembled(
  one: Asked,
  { info, payload }: Reply,
  size: number,
): readonly Uint8Array[] | undefined {
  const length = payloadLength(payload);
  if (info === 0 && length === size) return payload;
  const isChunk = info % chunkSize === 0 && info < size;
  if (!isChunk || length !== Math.min(chunkSize, size - info)) return undefined;
  one.partial ??= {
    bytes: new Uint8Array(size),
    there: new Uint8Array(Math.ceil(size / chunkSize)),
  };
  const { bytes, there } = one.partial;
  let at = info;
  for (const part of payload) {
    bytes.set(part, at);
    at += part.length;
  }
  there[info / chunkSize] = 1;
  return there.every((is) => is === 1) ? [bytes] : undefined;
}
