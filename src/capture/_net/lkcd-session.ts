/**
 * LKCD's network dump from the server's side: the machine makes the file and pushes it block by
 * block; the server fetches each by one request, and says when it has it. A block that it has
 * written is safe: that is what its acknowledgement means.
 */

import {
  type Block,
  Code,
  Command,
  decodeBlock,
  joined,
  type Reply,
  type Request,
} from './protocol.ts';
import {
  answered,
  ask,
  askedBy,
  assembled,
  giveUp,
  requestOf,
  type ServerLimits,
  type ServerStore,
  type SessionBase,
} from './session.ts';

interface PushedBlock extends Block {
  /** The machine's. */
  readonly number: number;
}

/** Plain data. */
export interface LkcdSession extends SessionBase {
  readonly protocol: 'lkcd';
  /** The block that is being fetched. */
  block: PushedBlock | undefined;
  /** The last one that was written. */
  written: number;
}

/** DUMP_BUFFER_SIZE. */
export const maxBlock = 64 * 1024;

export function lkcdSession(base: SessionBase): LkcdSession {
  return { ...base, protocol: 'lkcd', block: undefined, written: 0 };
}

export function onLkcdReply(
  session: LkcdSession,
  reply: Reply,
  nowNs: number,
  store: ServerStore,
  limits: ServerLimits,
): Request[] {
  if (reply.code === Code.endNetdump) {
    if (session.phase === 'open' && session.block === undefined && session.written > 0) {
      session.phase = 'done';
      store.complete(session.name);
    }
    return [];
  }
  if (session.phase !== 'open') return [];
  if (reply.code === Code.startWrite) return onStartWrite(session, reply, nowNs, limits);
  if (reply.code === Code.mem) return onMemory(session, reply, nowNs, store);
  return [];
}

function onStartWrite(
  session: LkcdSession,
  { seq: number, payload }: Reply,
  nowNs: number,
  limits: ServerLimits,
): Request[] {
  session.heardNs = nowNs;
  // The acknowledgement was lost.
  if (number === session.written) return [acknowledge(session)];
  if (session.block !== undefined || number !== session.written + 1) return [];
  const block = decodeBlock(payload);
  if (block === undefined || block.length === 0 || block.length > maxBlock) return [];
  if (block.offset + block.length > limits.bytes) {
    giveUp(session, `its file is larger than the limit, ${limits.bytes} bytes`);
    return [];
  }
  session.block = { ...block, number };
  return [ask(session, Command.sendMem, number, nowNs)];
}

function onMemory(
  session: LkcdSession,
  reply: Reply,
  nowNs: number,
  store: ServerStore,
): Request[] {
  const { block } = session;
  const one = askedBy(session, reply);
  if (block === undefined || one === undefined) return [];
  session.heardNs = nowNs;
  const parts = assembled(one, reply, block.length);
  if (parts === undefined) return [];
  answered(session, one, nowNs);
  writeBlock(session, block, parts, store);
  return [acknowledge(session)];
}

export function writeBlock(
  session: LkcdSession,
  { offset, length, number }: PushedBlock,
  parts: readonly Uint8Array[],
  store: ServerStore,
): void {
  const sink = store.incomplete(session.name);
  if (sink.writeKept !== undefined) sink.writeKept(offset, parts);
  else sink.write(offset, joined(parts));
  session.bytes += length;
  session.written = number;
  session.block = undefined;
}

function acknowledge(session: LkcdSession): Request {
  return requestOf(session, Command.startWriteAck, session.seq, session.written);
}
