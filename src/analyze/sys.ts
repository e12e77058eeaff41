/** `sys`: what crashed, when, and what the panic said, in crash's lines. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, printable } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { panicMessage } from '../linux/panic.ts';
import { type SystemInfo, systemInfo } from '../linux/system.ts';
import { atMostOne, type Json, type Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { configuration, firmware, systemCalls, taints } from './sys-parts.ts';
import { taintLetters } from './taint.ts';
import { crashDate, duration } from './time.ts';

interface Facts {
  readonly info: SystemInfo;
  readonly dump: Dump;
  readonly input: string;
  readonly buildId: string | undefined;
  /** Tasks that are known to exist. */
  readonly tasks: number | undefined;
  readonly panic: string | undefined;
}

export const run: Run = (kernel, words, options, { input, radix = 'decimal' }) => {
  atMostOne(options, ['calls', 'taints', 'firmware']);
  const [word, ...rest] = words;
  if (rest.length > 0 || (word !== undefined && word !== 'config' && options.calls !== true)) {
    throw new DumpError('usage', `sys takes no "${rest[0] ?? word}"`, {
      hint: 'sys -c NAME, sys -t, sys -i, sys config',
    });
  }
  if (options.calls === true) return systemCalls(kernel, word, radix);
  if (options.taints === true) return taints(kernel);
  if (options.firmware === true) return firmware(kernel);
  if (word === 'config') return configuration(kernel);
  const gaps = new Gaps();
  const info = systemInfo(kernel);
  for (const problem of info.problems) gaps.add('facts', problem);
  const facts: Facts = {
    info,
    dump: kernel.dump,
    input,
    buildId: kernel.vmcoreinfo.text('BUILD-ID'),
    tasks: gaps.attempt('counts of tasks', () => countTasks(kernel, gaps)),
    panic: gaps.attempt('panic messages', () => panicMessage(kernel)),
  };
  return {
    json: () => json(facts),
    text: () => lines(facts),
    missing: gaps.missing,
    errors: gaps.errors,
  };
};

/** Undefined where not one could be found: no kernel is without any. */
function countTasks(kernel: Kernel, gaps: Gaps): number | undefined {
  const list = kernel.tasks();
  let count = 0;
  for (const _ of list) count++;
  for (const problem of list.problems) gaps.add('task lists', problem);
  return count === 0 ? undefined : count;
}

function* lines(facts: Facts): Generator<string> {
  const { info, dump } = facts;
  const { uts } = info;
  const known = (value: string | undefined): string => value ?? '(not in the dump)';
  const build = facts.buildId === undefined ? '' : ` (build ID ${facts.buildId})`;
  const tainted = (info.tainted ?? 0n) === 0n ? '' : '  [TAINTED]';
  yield `      KERNEL: ${printable(uts.release)}${build}${tainted}`;
  const partial = (dump.level ?? 0) > 0 ? '  [PARTIAL DUMP]' : '';
  const incomplete = dump.incomplete === undefined ? '' : '  [INCOMPLETE]';
  yield `    DUMPFILE: ${facts.input}${partial}${incomplete}`;
  const offline = info.cpusPresent - info.cpusOnline;
  yield `        CPUS: ${info.cpusPresent}${offline > 0 ? ` [OFFLINE: ${offline}]` : ''}`;
  yield `        DATE: ${known(optional(info.time, crashDate))}`;
  yield `      UPTIME: ${known(optional(info.uptime, duration))}`;
  yield `LOAD AVERAGE: ${known(info.loadAverage?.map(loadText).join(', '))}`;
  yield `       TASKS: ${known(optional(facts.tasks, String))}`;
  yield `    NODENAME: ${printable(uts.nodename)}`;
  yield `     RELEASE: ${printable(uts.release)}`;
  yield `     VERSION: ${printable(uts.version)}`;
  yield `     MACHINE: ${printable(uts.machine)}  (${info.cpuMegahertz ?? 'unknown'} Mhz)`;
  yield `      MEMORY: ${known(optional(info.memoryBytes, memoryText))}`;
  const panic = facts.panic ?? '';
  // An oops says where and how in the lines behind this one: crash's words.
  const more = panic.includes('Oops: ') ? ' (check log for details)' : '';
  yield `       PANIC: "${printable(panic)}"${more}`;
}

function optional<T, R>(value: T | undefined, then: (value: T) => R): R | undefined {
  return value === undefined ? undefined : then(value);
}

/** The kernel's own rounding: fixed point with 11 fractional bits, plus a two-hundredth. */
function loadText(average: number): string {
  const fixed = Math.round(average * 2048) + 10;
  const hundredths = Math.floor(((fixed % 2048) * 100) / 2048);
  return `${Math.floor(fixed / 2048)}.${String(hundredths).padStart(2, '0')}`;
}

/** `127.5 MB`, `1 GB`. */
function memoryText(bytes: number): string {
  const megabyte = 1024 * 1024;
  const isLarge = bytes >= 1024 * megabyte;
  const value = (bytes / (isLarge ? 1024 * megabyte : megabyte)).toFixed(1);
  return `${value.replace(/\.0$/, '')} ${isLarge ? 'GB' : 'MB'}`;
}

function json({ info, dump, buildId, tasks, panic }: Facts): Json {
  const { uts } = info;
  return {
    release: uts.release,
    version: uts.version,
    machine: uts.machine,
    nodename: uts.nodename,
    buildId: buildId ?? null,
    tainted: info.tainted === undefined ? null : jsonAddress(info.tainted),
    taints: info.tainted === undefined ? null : taintLetters(info.tainted),
    format: dump.description,
    level: dump.level ?? null,
    cpus: { possible: info.cpusPossible, present: info.cpusPresent, online: info.cpusOnline },
    time: info.time ?? null,
    uptimeSeconds: info.uptime ?? null,
    loadAverage: info.loadAverage ?? null,
    tasks: tasks ?? null,
    cpuMhz: info.cpuMegahertz ?? null,
    memoryBytes: info.memoryBytes ?? null,
    panic: panic ?? null,
  };
}
