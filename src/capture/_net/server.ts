/** A dump server's sessions by protocol: what a packet of a client leads to. */

import { type LkcdSession, lkcdSession, onLkcdReply } from './lkcd-session.ts';
import type { NetdumpSession } from './netdump-session.ts';
import { firstQuestion, netdumpSession, onNetdumpReply, settle } from './netdump-session.ts';
import { Code, type NetProtocol, parseGreeting, type Reply, type Request } from './protocol.ts';
import { type ServerLimits, type ServerStore, sessionBase, startAck } from './session.ts';

export type Session = NetdumpSession | LkcdSession;

/** A machine that crashes again, or another one at its address, is taken after so long. */
const staleNs = 5e9;

/**
 * What a START_NETDUMP of a client leads to: a new session, or the one that it has; undefined where
 * the packet is none of a crashed machine. `begin` is asked where a new file begins.
 */
export function onStart(
  known: Session | undefined,
  protocol: NetProtocol,
  reply: Reply,
  nowNs: number,
  begin: () => { readonly name: string; readonly seq: number },
): { readonly session: Session; readonly requests: readonly Request[] } | undefined {
  if (reply.code !== Code.startNetdump) return undefined;
  const greeting = parseGreeting(reply.payload);
  if (greeting === undefined) return undefined;
  if (known?.greeting.magic === greeting.magic) {
    // Its acknowledgement was lost, or somebody repeats what was said.
    const isNew = known.phase === 'open' && known.bytes === 0;
    return { session: known, requests: isNew ? [startAck(greeting)] : [] };
  }
  if (known?.phase === 'open' && nowNs - known.heardNs < staleNs) return undefined;
  const { name, seq } = begin();
  const base = sessionBase(name, greeting, seq, nowNs);
  if (protocol === 'lkcd') return { session: lkcdSession(base), requests: [startAck(greeting)] };
  const session = netdumpSession(base);
  return { session, requests: [startAck(greeting), ...firstQuestion(session, nowNs)] };
}

export function onReply(
  session: Session,
  reply: Reply,
  nowNs: number,
  store: ServerStore,
  limits: ServerLimits,
): Request[] {
  return session.protocol === 'netdump'
    ? onNetdumpReply(session, reply, nowNs, store, limits)
    : onLkcdReply(session, reply, nowNs, store, limits);
}

/** After each packet, or after some: what was taken until then can be read from the file. */
export function settleFile(session: Session, store: ServerStore): void {
  if (session.protocol === 'netdump') settle(session, store);
}
