/** `log`: the kernel log as crash prints it. Its letters have crash's meaning. */

import { DumpError } from '../bytes/errors.ts';
import { plural, printable } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { logLine, readLog, timestampPrefix } from '../linux/log.ts';
import type { LogRecord } from '../linux/log-record.ts';
import { systemInfo } from '../linux/system.ts';
import { atMostOne, type Json, type Run } from './command.ts';
import { auditAnswer, safeAnswer } from './log-rest.ts';
import { crashDate } from './time.ts';

/** Outside of tasks the caller is a CPU: the top bit of printk_info.caller_id. */
const callerIsCpu = 0x8000_0000;

export const run: Run = (kernel, _, options) => {
  atMostOne(options, ['ctime', 'text']);
  atMostOne(options, ['audit', 'safe']);
  if (options.audit === true) return auditAnswer(kernel);
  if (options.safe === true) return safeAnswer(kernel);
  const log = readLog(kernel);
  // Asked for once: it costs the system's data, which a plain log does not need.
  const boot = options.ctime === true ? bootTime(kernel) : 0;
  const prefix = (record: LogRecord): string => {
    const caller = options.caller === true ? callerText(record.callerId) : '';
    const level = `${caller}${options.level === true ? `<${record.level.toString(16)}>` : ''}`;
    if (options.text === true) return level;
    if (options.ctime !== true) return timestampPrefix(record) + level;
    const seconds = Number(record.timestampNs / 1_000_000_000n);
    return `[${crashDate(boot + seconds)}] ${level}`;
  };
  return {
    json: () => ({ records: log.records.map(recordJson), overwritten: log.overwritten }),
    *text() {
      for (const record of log.records) {
        const before = prefix(record);
        yield logLine(record, before);
        if (options.dictionary === true) yield* dictionaryLines(record, ' '.repeat(before.length));
      }
    },
    counted: plural(log.records.length, 'record'),
    missing: log.missing,
    notes:
      log.overwritten === 0
        ? []
        : [`${plural(log.overwritten, 'older record')} had been overwritten before the dump`],
  };
};

/** What dev_printk() says of the device that a record is about. */
function* dictionaryLines({ subsystem, device }: LogRecord, indent: string): Generator<string> {
  if (subsystem !== undefined) yield `${indent}SUBSYSTEM=${printable(subsystem)}`;
  if (device !== undefined) yield `${indent}DEVICE=${printable(device)}`;
}

/** Seconds since 1970 at boot. */
function bootTime(kernel: Kernel): number {
  const { time, uptime, problems } = systemInfo(kernel);
  if (time !== undefined && uptime !== undefined) return time - uptime;
  throw new DumpError('absent', "the kernel's clock cannot be read, so -T has no dates", {
    hint: 'without -T the log has seconds since boot',
    cause: problems[0],
  });
}

/** `[    T1] `, `[    C0] `: as the kernel prints it on a console (print_caller()). */
function callerText(callerId: number | undefined): string {
  if (callerId === undefined) return '';
  const isCpu = callerId >= callerIsCpu;
  const text = isCpu ? `C${callerId - callerIsCpu}` : `T${callerId}`;
  return `[${text.padStart(6)}] `;
}

function callerJson(callerId: number | undefined): Json {
  if (callerId === undefined) return null;
  return callerId >= callerIsCpu ? { cpu: callerId - callerIsCpu } : { thread: callerId };
}

/** A record as `log` has it. */
export function recordJson(record: LogRecord): Json {
  return {
    sequence: record.sequence,
    timestampNs: record.timestampNs.toString(),
    level: record.level,
    facility: record.facility,
    continued: record.continued,
    caller: callerJson(record.callerId),
    text: record.text,
    subsystem: record.subsystem,
    device: record.device,
  };
}
