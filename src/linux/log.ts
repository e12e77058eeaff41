/**
 * The kernel log. Its forms are told apart by the variables that a kernel has: `prb`, the ring of
 * records since v5.10; `log_first_idx`, records in log_buf from v3.5 on; before that plain text.
 */

import { DumpError } from '../bytes/errors.ts';
import { readLogBuffer } from './log-buffer.ts';
import { findSymbol, type KernelLog, type LogKernel, type LogRecord } from './log-record.ts';
import { lastInRing, readRing } from './printk-ring.ts';

/**
 * All records that can be read. Throws `unsupported` for the log before v3.5, `absent` where no log
 * can be found, `corrupt` where its header makes no sense.
 */
export function readLog(kernel: LogKernel): KernelLog {
  if (findSymbol(kernel, 'prb') !== undefined) return readRing(kernel);
  if (findSymbol(kernel, 'log_first_idx') !== undefined) return readLogBuffer(kernel);
  if (findSymbol(kernel, 'logged_chars') !== undefined) {
    throw new DumpError(
      'unsupported',
      'this kernel keeps its log as plain text (before Linux 3.5)',
    );
  }
  throw new DumpError(
    'absent',
    'no kernel log: neither VMCOREINFO nor kallsyms has prb or log_first_idx',
  );
}

/** The newest record with text; undefined where there is none. Reads no more than it must. */
export function lastLogRecord(kernel: LogKernel): LogRecord | undefined {
  if (findSymbol(kernel, 'prb') !== undefined) return lastInRing(kernel);
  return readLog(kernel).records.findLast(({ text }) => text !== '');
}

/** `[    5.064673] `: the prefix of dmesg and of crash. */
export function timestampPrefix(record: LogRecord): string {
  const micros = record.timestampNs / 1000n;
  const seconds = (micros / 1_000_000n).toString().padStart(5);
  return `[${seconds}.${(micros % 1_000_000n).toString().padStart(6, '0')}] `;
}

/** A record as crash prints it: further lines are indented by the prefix, control bytes dots. */
export function logLine(record: LogRecord, prefix = timestampPrefix(record)): string {
  const indent = `\n${' '.repeat(prefix.length)}`;
  let line = prefix;
  for (const byte of record.bytes) {
    const isSpace = byte >= 0x09 && byte <= 0x0d;
    if (byte === 0x0a) line += indent;
    else line += isSpace || (byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(byte) : '.';
  }
  return line;
}
