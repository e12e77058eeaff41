/**
 * The lockless printk ring buffer of Linux 5.10 and later, found by VMCOREINFO alone (BTF and
 * kallsyms serve where it lacks a name), so that it can be read when nothing else can. Every record
 * in the ring is returned or counted as missing, with the reason.
 * Source: kernel/printk/printk_ringbuffer.[ch] and log_buf_vmcoreinfo_setup() in printk.c.
 */

import { DumpError } from '../bytes/errors.ts';
import { cstring, decodeUtf8 } from '../bytes/text.ts';
import {
  findSymbol,
  type KernelLog,
  type LogKernel,
  type LogRecord,
  offsetOf,
  sizeOf,
} from './log-record.ts';

/** States of a descriptor: the top two bits of its state variable. */
const committed = 1;
const finalized = 2;
const reusable = 3;
const stateShift = 62n;
const idMask = (1n << stateShift) - 1n;

/** lpos values of blocks without data: the text was lost, or there is none. */
const failedLpos = 1n;
const emptyLineLpos = 3n;

const flagContinued = 8;

/** log_buf_len is at most 2 GB and a descriptor stands for 32 bytes of it (PRB_AVGBITS). */
const maxCountBits = 26;
const maxSizeBits = 31;
/** So many records amiss and the ring's positions themselves are wrong. */
const maxMissing = 1 << 16;
/** Nothing of printk's is larger; a larger size is a damaged note. */
const maxStructSize = 4096;

interface Layout {
  readonly descSize: number;
  readonly descState: number;
  readonly descBegin: number;
  readonly descNext: number;
  readonly infoSize: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly textLength: number;
  readonly callerId: number;
  readonly subsystem: number;
  readonly subsystemLength: number;
  readonly device: number;
  readonly deviceLength: number;
}

/** The ring as its header describes it, checked. */
interface Ring {
  readonly layout: Layout;
  readonly countBits: number;
  readonly descs: bigint;
  readonly infos: bigint;
  readonly headId: bigint;
  readonly tailId: bigint;
  readonly sizeBits: number;
  readonly data: bigint;
}

/** A record, or what is wrong with it. */
type Outcome = LogRecord | { readonly what: string; readonly why: string } | undefined;

/** All records that can be read. `corrupt` where the ring's header makes no sense. */
export function readRing(kernel: LogKernel): KernelLog {
  const ring = openRing(kernel);
  const records: LogRecord[] = [];
  const missing = new Map<string, { what: string; count: number; why: string }>();
  const note = (what: string, why: string, count: number): void => {
    const known = missing.get(what);
    if (known === undefined) missing.set(what, { what, count, why });
    else known.count += count;
  };
  const span = spanOf(ring);
  if (span.problem !== undefined) note('ring', span.problem, 1);
  let amiss = 0;
  for (let index = 0; index < span.count; index++) {
    const outcome = readRecord(kernel, ring, (span.first + BigInt(index)) & idMask);
    if (outcome === undefined) continue;
    if ('text' in outcome) {
      records.push(outcome);
      continue;
    }
    note(outcome.what, outcome.why, 1);
    if (++amiss === maxMissing) {
      note('rest of the ring', `given up after ${amiss} bad records`, span.count - index - 1);
      break;
    }
  }
  return {
    records,
    complete: missing.size === 0,
    missing: [...missing.values()],
    overwritten: records[0]?.sequence ?? 0,
  };
}

/** The newest record with text, reading only the end of the ring; undefined where there is none. */
export function lastInRing(kernel: LogKernel): LogRecord | undefined {
  const ring = openRing(kernel);
  const span = spanOf(ring);
  const enough = Math.min(span.count, maxMissing);
  for (let back = 1; back <= enough; back++) {
    const id = (span.first + BigInt(span.count - back)) & idMask;
    const outcome = readRecord(kernel, ring, id);
    if (outcome !== undefined && 'text' in outcome && outcome.text !== '') return outcome;
  }
  return undefined;
}

function openRing(kernel: LogKernel): Ring {
  const pointer = findSymbol(kernel, 'prb');
  if (pointer === undefined) throw new DumpError('absent', 'the kernel has no symbol "prb"');
  const at = kernel.memory.u64(pointer);
  const offset = (member: string) => offsetOf(kernel, member);
  const descRing = at + BigInt(offset('printk_ringbuffer.desc_ring'));
  const dataRing = at + BigInt(offset('printk_ringbuffer.text_data_ring'));
  const inDesc = (member: string) => descRing + BigInt(offset(`prb_desc_ring.${member}`));
  const inData = (member: string) => dataRing + BigInt(offset(`prb_data_ring.${member}`));
  const { memory } = kernel;
  const ring = {
    layout: layoutOf(kernel),
    countBits: memory.u32(inDesc('count_bits')),
    descs: memory.u64(inDesc('descs')),
    infos: memory.u64(inDesc('infos')),
    headId: memory.u64(inDesc('head_id')) & idMask,
    tailId: memory.u64(inDesc('tail_id')) & idMask,
    sizeBits: memory.u32(inData('size_bits')),
    data: memory.u64(inData('data')),
  };
  if (ring.countBits > maxCountBits || ring.sizeBits > maxSizeBits) {
    throw new DumpError(
      'corrupt',
      `the log's ring claims 2^${ring.countBits} records, 2^${ring.sizeBits} bytes`,
      { where: { virtual: at } },
    );
  }
  return ring;
}

/** The identifiers from tail to head, at most as many as the ring has descriptors. */
function spanOf(ring: Ring): { first: bigint; count: number; problem?: string } {
  const capacity = 2 ** ring.countBits;
  const distance = (ring.headId - ring.tailId) & idMask;
  if (distance < BigInt(capacity)) return { first: ring.tailId, count: Number(distance) + 1 };
  return {
    first: (ring.headId - BigInt(capacity - 1)) & idMask,
    count: capacity,
    problem: `tail 0x${ring.tailId.toString(16)} is not within ${capacity} records of the head`,
  };
}

/** One record; undefined where the slot is free, which is no loss. */
function readRecord(kernel: LogKernel, ring: Ring, id: bigint): Outcome {
  const slot = Number(id & (2n ** BigInt(ring.countBits) - 1n));
  const { layout } = ring;
  try {
    const desc = kernel.memory.view(ring.descs + BigInt(slot * layout.descSize), layout.descSize);
    const stateVariable = desc.getBigUint64(layout.descState, true);
    const state = Number(stateVariable >> stateShift);
    if (state === reusable) return undefined;
    if ((stateVariable & idMask) !== id) {
      return { what: 'overwritten records', why: 'the slot holds another record' };
    }
    if (state !== committed && state !== finalized) {
      return { what: 'unfinished records', why: 'a CPU was still writing them' };
    }
    const begin = desc.getBigUint64(layout.descBegin, true);
    const next = desc.getBigUint64(layout.descNext, true);
    const info = kernel.memory.read(ring.infos + BigInt(slot * layout.infoSize), layout.infoSize);
    const textLength = new DataView(info.buffer, info.byteOffset).getUint16(
      layout.textLength,
      true,
    );
    const text = readText(kernel, ring, { id, begin, next, textLength });
    return text instanceof Uint8Array ? recordOf(layout, info, text) : text;
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return { what: 'unreadable records', why: error.message };
  }
}

function readText(
  kernel: LogKernel,
  ring: Ring,
  block: { id: bigint; begin: bigint; next: bigint; textLength: number },
): Uint8Array | { what: string; why: string } {
  const { begin, next } = block;
  if ((begin & next & 1n) === 1n) {
    if (begin === emptyLineLpos) return new Uint8Array(0);
    const why = begin === failedLpos ? 'the ring was full when they were written' : 'bad position';
    return { what: 'records without text', why };
  }
  const size = 1n << BigInt(ring.sizeBits);
  const nextIndex = next & (size - 1n);
  const sameWrap = begin >> BigInt(ring.sizeBits) === next >> BigInt(ring.sizeBits);
  // A block that would cross the end of the ring stands at its beginning instead. Newer kernels
  // let one end exactly there (2025, is_blk_wrapped()); in older ones no block ends at index 0.
  const start = sameWrap || nextIndex === 0n ? begin & (size - 1n) : 0n;
  const end = nextIndex === 0n ? size : nextIndex;
  const room = Number(end - start) - 8;
  if (room < 0 || kernel.memory.u64(ring.data + start) !== block.id) {
    return { what: 'records without text', why: 'their text was overwritten' };
  }
  const length = Math.min(block.textLength, room);
  return kernel.memory.read(ring.data + start + 8n, length).slice();
}

function recordOf(layout: Layout, info: Uint8Array, bytes: Uint8Array): LogRecord {
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  // struct printk_info has u16 text_len, u8 facility, u8 flags:5, level:3 in a row; VMCOREINFO
  // tells the first only.
  const facility = view.getUint8(layout.textLength + 2);
  const flagsAndLevel = view.getUint8(layout.textLength + 3);
  const textAt = (at: number, length: number) => cstring(info.subarray(at, at + length));
  const subsystem = textAt(layout.subsystem, layout.subsystemLength);
  const device = textAt(layout.device, layout.deviceLength);
  return {
    sequence: Number(view.getBigUint64(layout.sequence, true)),
    timestampNs: view.getBigUint64(layout.timestamp, true),
    level: flagsAndLevel >> 5,
    facility,
    continued: (flagsAndLevel & flagContinued) !== 0,
    callerId: view.getUint32(layout.callerId, true),
    text: decodeUtf8(bytes),
    bytes,
    ...(subsystem === '' ? {} : { subsystem }),
    ...(device === '' ? {} : { device }),
  };
}

function layoutOf(kernel: LogKernel): Layout {
  const offset = (member: string) => offsetOf(kernel, member);
  const devInfo = offset('printk_info.dev_info');
  const block = offset('prb_desc.text_blk_lpos');
  const subsystem = offset('dev_printk_info.subsystem');
  const device = offset('dev_printk_info.device');
  const subsystemLength =
    kernel.vmcoreinfo.length('printk_info_subsystem') ?? Math.max(0, device - subsystem);
  const layout = {
    descSize: sizeOf(kernel, 'prb_desc'),
    descState: offset('prb_desc.state_var'),
    descBegin: block + offset('prb_data_blk_lpos.begin'),
    descNext: block + offset('prb_data_blk_lpos.next'),
    infoSize: sizeOf(kernel, 'printk_info'),
    sequence: offset('printk_info.seq'),
    timestamp: offset('printk_info.ts_nsec'),
    textLength: offset('printk_info.text_len'),
    callerId: offset('printk_info.caller_id'),
    subsystem: devInfo + subsystem,
    subsystemLength,
    device: devInfo + device,
    // PRINTK_INFO_DEVICE_LEN (linux/dev_printk.h) where the note does not say.
    deviceLength: kernel.vmcoreinfo.length('printk_info_device') ?? 48,
  };
  const { descState, descBegin, descNext, sequence, timestamp, textLength, callerId } = layout;
  checkInside('prb_desc', layout.descSize, 8, [descState, descBegin, descNext]);
  checkInside('printk_info', layout.infoSize, 8, [sequence, timestamp]);
  checkInside('printk_info', layout.infoSize, 4, [textLength, callerId]);
  return layout;
}

function checkInside(type: string, size: number, width: number, members: readonly number[]): void {
  if (size > maxStructSize || members.some((at) => at < 0 || at + width > size)) {
    throw new DumpError('corrupt', `VMCOREINFO has members of ${type} outside its ${size} bytes`);
  }
}
