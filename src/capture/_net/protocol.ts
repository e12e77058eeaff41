/**
 * The packets of netdump and of LKCD's network dump, both of 2002 to 2004: a server asks, the
 * crashed machine answers by UDP. Numbers are big-endian. The two share codes up to 8; what
 * START_WRITE_NETDUMP carries besides its code is our own, as its layout is lost.
 * Source: Wireshark packet-netdump.c; drivers/net/netdump.h; LKCD dump_netdev.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import { count64, raw, struct, u8, u32, u64 } from '../../bytes/struct.ts';
import { decodeUtf8, encodeUtf8 } from '../../bytes/text.ts';

export type NetProtocol = 'netdump' | 'lkcd';

export const Command = {
  none: 0,
  sendMem: 1,
  exit: 2,
  reboot: 3,
  hello: 4,
  getNrPages: 5,
  getPageSize: 6,
  startAck: 7,
  getRegs: 8,
  /** LKCD's: 9 is netdump's SHOW_STATE. */
  startWriteAck: 10,
} as const;

export const Code = {
  none: 0,
  error: 1,
  mem: 3,
  reserved: 4,
  hello: 5,
  nrPages: 6,
  pageSize: 7,
  startNetdump: 8,
  endNetdump: 9,
  regs: 10,
  /** LKCD's: 12 is netdump's SHOW_STATE. */
  startWrite: 12,
} as const;

/** What a server says in the `from` of its START_NETDUMP_ACK; 0: it speaks none that it knows. */
export const protocolVersion = 4;
/** Of the memory in one packet. */
export const chunkSize = 1024;

export interface Request {
  readonly magic: bigint;
  readonly seq: number;
  readonly command: number;
  readonly from: number;
  readonly to: number;
}

/** One packet, or a run of them that nothing happened to: chunks of a page in a row. */
export interface Reply {
  readonly version: number;
  /** Of the request that it answers. */
  readonly seq: number;
  readonly code: number;
  readonly info: number;
  /** In parts that nobody changes any more. */
  readonly payload: readonly Uint8Array[];
}

const RequestPacket = struct(
  'netdump request',
  {
    magic: u64('As the client drew it.'),
    seq: u32('Number of the request.'),
    command: u32('Command.'),
    from: u32('Page frame number, or what the command says.'),
    to: u32('The same; unused by most.'),
  },
  { size: 24, bigEndian: true },
);

const ReplyHeader = struct(
  'netdump reply',
  {
    version: u8('4.'),
    seq: u32('Of the request.'),
    code: u32('Code.'),
    info: u32('Offset in the page, a count, a page frame number.'),
  },
  { size: 13, packed: true, bigEndian: true },
);

/** In a START_WRITE_NETDUMP of LKCD: which part of the file the machine wants to be asked for. */
const BlockPlace = struct(
  'LKCD block',
  { offset: count64('Byte in the file.'), length: u32('Bytes.'), padding: raw(4, '0.') },
  { size: 16, bigEndian: true },
);

export const requestSize = RequestPacket.size;
/** Header and one chunk. */
export const maxReplySize = ReplyHeader.size + chunkSize;

export function encodeRequest(request: Request): Uint8Array {
  return RequestPacket.encode(request);
}

/** Undefined for what is no request. */
export function decodeRequest(packet: Uint8Array): Request | undefined {
  return packet.length === RequestPacket.size ? RequestPacket.read(packet) : undefined;
}

/** Of one packet: a reply with at most one chunk. */
export function encodeReply({ payload, ...header }: Reply): Uint8Array {
  const packet = new Uint8Array(ReplyHeader.size + payloadLength(payload));
  ReplyHeader.write(packet, 0, header);
  let at = ReplyHeader.size;
  for (const part of payload) {
    packet.set(part, at);
    at += part.length;
  }
  return packet;
}

/** Undefined for what is no reply. The payload refers to the packet. */
export function decodeReply(packet: Uint8Array): Reply | undefined {
  if (packet.length < ReplyHeader.size || packet.length > maxReplySize) return undefined;
  return { ...ReplyHeader.read(packet), payload: [packet.subarray(ReplyHeader.size)] };
}

export function payloadLength(payload: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of payload) length += part.length;
  return length;
}

/** How many packets a reply is on the wire. */
export function datagramsOf(reply: Reply): number {
  return Math.max(1, Math.ceil(payloadLength(reply.payload) / chunkSize));
}

/** How many bytes its packets have. */
export function bytesOf(reply: Reply): number {
  return payloadLength(reply.payload) + datagramsOf(reply) * ReplyHeader.size;
}

/** The packets of a reply, each with at most one chunk. */
export function split(reply: Reply): Reply[] {
  const length = payloadLength(reply.payload);
  if (length <= chunkSize) return [reply];
  const replies: Reply[] = [];
  for (let at = 0; at < length; at += chunkSize) {
    const payload = within(reply.payload, at, Math.min(at + chunkSize, length));
    replies.push({ ...reply, info: reply.info + at, payload });
  }
  return replies;
}

/** The parts of the bytes from `start` to `end`. */
export function within(
  parts: readonly Uint8Array[],
  start: number,
  end: number,
): readonly Uint8Array[] {
  const cut: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, part.length);
    if (from < to) cut.push(from === 0 && to === part.length ? part : part.subarray(from, to));
    at += part.length;
  }
  return cut;
}

/** What a crashed machine says of itself in START_NETDUMP. */
export interface Greeting {
  readonly magic: bigint;
  /** Address of the panicking task. */
  readonly task: bigint;
  readonly pageOffset: bigint;
  /** Where the kernel's VMCOREINFO text is: a line that netdump did not have, and KASLR needs. */
  readonly vmcoreinfo?: { readonly physical: bigint; readonly size: number };
}

export function greetingText({ magic, task, pageOffset, vmcoreinfo }: Greeting): Uint8Array {
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  const words = [
    `task_struct:${hex(task)}`,
    `page_offset:${hex(pageOffset)}`,
    `netdump_magic:${hex(magic)}`,
  ];
  if (vmcoreinfo) words.push(`vmcoreinfo:${hex(vmcoreinfo.physical)}+${vmcoreinfo.size}`);
  return encodeUtf8(`${words.join(' ')}\n`);
}

/** Undefined for what is none. */
export function parseGreeting(payload: readonly Uint8Array[]): Greeting | undefined {
  const text = decodeUtf8(joined(payload));
  const number = (name: string): bigint | undefined => {
    const found = new RegExp(`\\b${name}:0x([0-9a-f]{1,16})\\b`).exec(text);
    return found === null ? undefined : BigInt(`0x${found[1]}`);
  };
  const magic = number('netdump_magic');
  const task = number('task_struct');
  const pageOffset = number('page_offset');
  if (magic === undefined || task === undefined || pageOffset === undefined) return undefined;
  const size = /\bvmcoreinfo:0x[0-9a-f]{1,16}\+(\d{1,4})\b/.exec(text)?.[1];
  const physical = number('vmcoreinfo');
  if (size === undefined || physical === undefined) return { magic, task, pageOffset };
  return { magic, task, pageOffset, vmcoreinfo: { physical, size: Number(size) } };
}

export interface Block {
  readonly offset: number;
  readonly length: number;
}

export function encodeBlock({ offset, length }: Block): Uint8Array {
  return BlockPlace.encode({ offset, length });
}

/** Undefined for what is none. */
export function decodeBlock(payload: readonly Uint8Array[]): Block | undefined {
  const bytes = joined(payload);
  if (bytes.length !== BlockPlace.size) return undefined;
  try {
    const { offset, length } = BlockPlace.read(bytes);
    return { offset, length };
  } catch (error) {
    // An offset beyond 2^53.
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

/** The bytes of parts in a row; the part itself where it is the only one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(payloadLength(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
