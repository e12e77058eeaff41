/** `log`: the kernel log as crash prints it. Options -T -t -m have crash's meaning. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { logLine, readLog, timestampPrefix } from '../linux/log.ts';
import type { LogRecord } from '../linux/log-record.ts';
import { systemInfo } from '../linux/system.ts';
import { type Answer, atMostOne, type Json, type Options } from './command.ts';
import { crashDate } from './time.ts';

/** Outside of tasks the caller is a CPU: the top bit of printk_info.caller_id. */
const callerIsCpu = 0x8000_0000;

export function run(kernel: Kernel, _: readonly string[], options: Options): Answer {
  atMostOne(options, ['ctime', 'text']);
  const log = readLog(kernel);
  // Asked for once: it costs the system's data, which a plain log does not need.
  const boot = options.ctime === true ? bootTime(kernel) : 0;
  const prefix = (record: LogRecord): string => {
    const level = options.level === true ? `<${record.level.toString(16)}>` : '';
    if (options.text === true) return level;
    if (options.ctime !== true) return timestampPrefix(record) + level;
    const seconds = Number(record.timestampNs / 1_000_000_000n);
    return `[${crashDate(boot + seconds)}] ${level}`;
  };
  return {
    json: () => ({ records: log.records.map(recordJson), overwritten: log.overwritten }),
    *text() {
      for (const record of log.records) yield logLine(record, prefix(record));
    },
    counted: plural(log.records.length, 'record'),
    missing: log.missing,
    notes:
      log.overwritten === 0
        ? []
        : [`${plural(log.overwritten, 'older record')} had been overwritten before the dump`],
  };
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

function callerJson(callerId: number | undefined): Json {
  if (callerId === undefined) return null;
  return callerId >= callerIsCpu ? { cpu: callerId - callerIsCpu } : { thread: callerId };
}

function recordJson(record: LogRecord): Json {
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
