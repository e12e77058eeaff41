/**
 * The kernel log in `log_buf`. Since v3.5 (7ff9554bb578 "printk: convert byte-buffer to
 * variable-length record buffer") until v5.9 it has records one behind the other, each a header, a
 * text and a dictionary; one of length 0 says that the next is at the buffer's start.
 * Source: kernel/printk/printk.c of those versions, struct printk_log.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { decodeUtf8 } from '../bytes/text.ts';
import {
  findSymbol,
  type KernelLog,
  type LogKernel,
  type LogRecord,
  type MissingRecords,
  offsetOf,
  sizeOf,
} from './log-record.ts';

/** log_buf_len is at most 2 GB. */
const maxBufferBytes = 2 ** 31;
/** LOG_ALIGN on x86, where the header is packed. */
const alignment = 4;
const maxHeaderBytes = 64;
const flagContinued = 8;

interface Layout {
  readonly size: number;
  readonly timestamp: number;
  readonly length: number;
  readonly textLength: number;
  readonly dictionaryLength: number;
}

/** struct printk_log (struct log before v3.11) as all versions have it, where nobody says. */
const usual: Layout = { size: 16, timestamp: 0, length: 8, textLength: 10, dictionaryLength: 12 };

interface RecordArea {
  readonly address: bigint;
  readonly length: number;
  readonly layout: Layout;
}

interface Entry {
  readonly record: LogRecord;
  /** Index of the byte behind it. */
  readonly end: number;
}

/** The records from log_first_idx to log_next_idx. After a gap it goes on where records look so. */
export function readLogBuffer(kernel: LogKernel): KernelLog {
  const area = openArea(kernel);
  const { memory } = kernel;
  const variable = (name: string): bigint => required(kernel, name);
  const first = memory.u32(variable('log_first_idx'));
  const next = memory.u32(variable('log_next_idx'));
  if (first >= area.length || next > area.length) {
    throw new DumpError('corrupt', `the log goes from ${first} to ${next} of ${area.length}`, {
      where: { virtual: area.address },
    });
  }
  // Not in VMCOREINFO: where kallsyms has lost it, records are counted from the oldest one here.
  const firstSequence = attempt(() => findSymbol(kernel, 'log_first_seq'));
  const overwritten = firstSequence === undefined ? 0 : Number(memory.u64(firstSequence));
  const records: LogRecord[] = [];
  const gaps: MissingRecords[] = [];
  // The oldest records stand behind the newest where the buffer has wrapped.
  const parts =
    first < next
      ? [[first, next]]
      : [
          [first, area.length],
          [0, next],
        ];
  for (const [from, to] of parts as [number, number][]) {
    readPart(kernel, area, { from, to, sequence: overwritten }, records, gaps);
  }
  const missing = gaps.length === 0 ? [] : [{ ...gaps[0]!, count: gaps.length }];
  return { records, complete: gaps.length === 0, missing, overwritten };
}

interface Part {
  readonly from: number;
  readonly to: number;
  /** Of the first record of the whole log. */
  readonly sequence: number;
}

function readPart(
  kernel: LogKernel,
  area: RecordArea,
  { from, to, sequence }: Part,
  records: LogRecord[],
  gaps: MissingRecords[],
): void {
  for (let at = from; at < to; ) {
    const wanted = sequence + records.length;
    const last = records.at(-1);
    let why = 'a header makes no sense';
    const entry = attempt(
      () => entryAt(kernel, area, at, wanted),
      (problem) => {
        why = problem.message;
      },
    );
    if (entry === 'end') return;
    if (entry !== undefined && entry.end <= to && follows(entry.record, last)) {
      records.push(entry.record);
      at = entry.end;
      continue;
    }
    gaps.push({ what: 'gaps between records', count: 1, why });
    at = nextEntry(kernel, area, { from: at + alignment, to }, last) ?? to;
  }
}

/** The clock that stamps records does not go back by more than CPUs differ. */
function follows(record: LogRecord, last: LogRecord | undefined): boolean {
  return last === undefined || record.timestampNs + 1_000_000_000n > last.timestampNs;
}

/** Where a header stands after bytes that are lost: its lengths must agree, its text be text. */
function nextEntry(
  kernel: LogKernel,
  area: RecordArea,
  { from, to }: { readonly from: number; readonly to: number },
  last: LogRecord | undefined,
): number | undefined {
  for (let at = from; at < to; ) {
    const inPage = 0x1000 - Number((area.address + BigInt(at)) & 0xfffn);
    if (attempt(() => kernel.memory.u8(area.address + BigInt(at))) === undefined) {
      at += inPage;
      continue;
    }
    const entry = attempt(() => entryAt(kernel, area, at, 0));
    if (typeof entry === 'object' && isText(entry.record) && follows(entry.record, last)) return at;
    at += alignment;
  }
  return undefined;
}

function isText({ bytes }: LogRecord): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x09);
}

/** The record at an index, `end` where the rest is unused; undefined if it is none. */
function entryAt(
  kernel: LogKernel,
  area: RecordArea,
  at: number,
  sequence: number,
): Entry | 'end' | undefined {
  const { layout } = area;
  const address = area.address + BigInt(at);
  const header = kernel.memory.view(address, layout.size);
  const length = header.getUint16(layout.length, true);
  const textLength = header.getUint16(layout.textLength, true);
  const dictionaryLength = header.getUint16(layout.dictionaryLength, true);
  if (length === 0) return textLength === 0 && dictionaryLength === 0 ? 'end' : undefined;
  const used = layout.size + textLength + dictionaryLength;
  if (length < used || length >= used + alignment || at + length > area.length) return undefined;
  const body = kernel.memory.read(address + BigInt(layout.size), textLength + dictionaryLength);
  const flagsAndLevel = header.getUint8(layout.dictionaryLength + 3);
  const bytes = body.slice(0, textLength);
  const record: LogRecord = {
    sequence,
    timestampNs: header.getBigUint64(layout.timestamp, true),
    level: flagsAndLevel >> 5,
    facility: header.getUint8(layout.dictionaryLength + 2),
    continued: (flagsAndLevel & flagContinued) !== 0,
    // Since v5.1 with CONFIG_PRINTK_CALLER (15ff2069cb7f), behind the members of all versions.
    ...(layout.size >= 20 ? { callerId: header.getUint32(16, true) } : {}),
    text: decodeUtf8(bytes),
    bytes,
    ...dictionaryOf(body.subarray(textLength)),
  };
  return { record, end: at + length };
}

/** `SUBSYSTEM=pci` NUL `DEVICE=+pci:0000:00:01.0`: what dev_printk() adds. */
function dictionaryOf(bytes: Uint8Array): { subsystem?: string; device?: string } {
  const entries = new Map(
    decodeUtf8(bytes)
      .split('\0')
      .map((entry) => entry.split('=', 2) as [string, string]),
  );
  const subsystem = entries.get('SUBSYSTEM');
  const device = entries.get('DEVICE');
  return { ...(subsystem ? { subsystem } : {}), ...(device ? { device } : {}) };
}

function openArea(kernel: LogKernel): RecordArea {
  const { memory } = kernel;
  const address = memory.u64(required(kernel, 'log_buf'));
  const length = memory.u32(required(kernel, 'log_buf_len'));
  if (length === 0 || length > maxBufferBytes) {
    throw new DumpError('corrupt', `the log's buffer claims ${length} bytes`, {
      where: { virtual: address },
    });
  }
  return { address, length, layout: layoutOf(kernel) };
}

/** By VMCOREINFO or BTF under either name; a kernel that says neither has the usual one. */
function layoutOf(kernel: LogKernel): Layout {
  for (const type of ['printk_log', 'log']) {
    const found = attempt(() => ({
      size: sizeOf(kernel, type),
      timestamp: offsetOf(kernel, `${type}.ts_nsec`),
      length: offsetOf(kernel, `${type}.len`),
      textLength: offsetOf(kernel, `${type}.text_len`),
      dictionaryLength: offsetOf(kernel, `${type}.dict_len`),
    }));
    if (found === undefined) continue;
    const { size, ...members } = found;
    // Facility, flags and level follow the dictionary's length; the timestamp is the widest.
    const isSound = Object.values(members).every((at) => at >= 0 && at + 4 <= size);
    if (isSound && size <= maxHeaderBytes && found.timestamp + 8 <= size) return found;
    throw new DumpError('corrupt', `VMCOREINFO has members of ${type} outside its ${size} bytes`);
  }
  return usual;
}

function required(kernel: LogKernel, name: string): bigint {
  const address = findSymbol(kernel, name);
  if (address !== undefined) return address;
  throw new DumpError('absent', `the kernel log cannot be read without the variable "${name}"`);
}
