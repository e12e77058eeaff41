/** What lcrash's `stat` and `report` say of the system and of its log. */

import { printable } from '../bytes/text.ts';
import type { Utsname } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { logLine, timestampPrefix } from '../linux/log.ts';
import type { LogRecord } from '../linux/log-record.ts';
import { panicMessage } from '../linux/panic.ts';
import { systemInfo } from '../linux/system.ts';
import type { Json } from './command.ts';
import type { Gaps } from './gaps.ts';
import { crashDate, duration } from './time.ts';

/** What the dump does not hold is undefined. */
export interface SystemFacts {
  readonly uts: Utsname;
  /** Seconds since 1970, and since boot. */
  readonly time: number | undefined;
  readonly uptime: number | undefined;
  readonly panic: string | undefined;
}

export function systemFacts(kernel: Kernel, gaps: Gaps): SystemFacts {
  const { uts, time, uptime, problems } = systemInfo(kernel);
  for (const problem of problems) gaps.add('facts', problem);
  return { uts, time, uptime, panic: gaps.attempt('panic messages', () => panicMessage(kernel)) };
}

/** `   sysname : Linux` and its five neighbours. */
export function utsnameLines({ uts }: SystemFacts): Iterable<string> {
  const { sysname, nodename, release, version, machine, domainname } = uts;
  return factLines({ sysname, nodename, release, version, machine, domainname });
}

export function stateLines(facts: SystemFacts): Iterable<string> {
  return factLines({ time: timeText(facts), uptime: uptimeText(facts), panic: facts.panic ?? '' });
}

function* factLines(facts: Readonly<Record<string, string>>): Generator<string> {
  for (const [name, value] of Object.entries(facts)) {
    yield `${name.padStart(10)} : ${printable(value)}`;
  }
}

export function timeText({ time }: SystemFacts): string {
  return time === undefined ? '(not in the dump)' : crashDate(time);
}

function uptimeText({ uptime }: SystemFacts): string {
  return uptime === undefined ? '(not in the dump)' : duration(uptime);
}

/** Records as log_buf had them, with their levels: `    <6>[    0.000000] Linux version ...`. */
export function* logLines(records: readonly LogRecord[]): Generator<string> {
  for (const record of records) {
    yield logLine(record, `    <${record.level}>${timestampPrefix(record)}`);
  }
}

export function systemJson({ uts, time, uptime, panic }: SystemFacts): Json {
  const { sysname, nodename, release, version, machine, domainname } = uts;
  return {
    utsname: { sysname, nodename, release, version, machine, domainname },
    time: time ?? null,
    uptimeSeconds: uptime ?? null,
    panic: panic ?? null,
  };
}
