/** `ps -l` and `ps -m`: tasks by when they last began to run, the latest first. */

import type { Kernel } from '../linux/kernel.ts';
import type { Options } from './command.ts';
import { cpusNamed } from './cpu-list.ts';
import type { Gaps } from './gaps.ts';
import type { Detail } from './ps-detail.ts';
import { type TaskEntry, taskHeader } from './tasks.ts';

interface LastRun {
  readonly entry: TaskEntry;
  /** Nanoseconds of the scheduler's clock; undefined: not in the dump. */
  readonly arrival: bigint | undefined;
}

export interface Runs {
  /** In this order. */
  readonly entries: readonly TaskEntry[];
  readonly detailOf: (entry: TaskEntry) => Detail;
}

/** `cpus` are shown one after the other, each below its number. */
export function lastRuns(
  kernel: Kernel,
  entries: readonly TaskEntry[],
  options: Options,
  gaps: Gaps,
): Runs {
  const runs = entries.map((entry): LastRun => {
    // CONFIG_SCHED_INFO; kernels without it do not know.
    const arrival = gaps.attempt('times of the last run', () => entry.view.sched_info.last_arrival);
    return { entry, arrival: arrival as bigint | undefined };
  });
  runs.sort((a, b) => Number((b.arrival ?? -1n) - (a.arrival ?? -1n)));
  const clockOf = runQueueClocks(kernel, gaps);
  const cpus = typeof options.cpus === 'string' ? cpusNamed(kernel, options.cpus) : undefined;
  const shown = cpus?.flatMap((cpu) => runs.filter(({ entry }) => entry.cpu === cpu)) ?? runs;
  const textOf = ({ entry, arrival }: LastRun): string => {
    if (options.ago !== true) return String(arrival ?? '?');
    const clock = clockOf(entry.cpu);
    if (arrival === undefined || clock === undefined) return '?';
    return agoText(clock > arrival ? clock - arrival : 0n);
  };
  const texts = new Map(shown.map((run) => [run.entry, textOf(run)]));
  const width = Math.max(0, ...[...texts.values()].map(({ length }) => length));
  const byEntry = new Map(shown.map((run) => [run.entry, run]));
  const firsts = new Set(cpus?.map((cpu) => shown.find(({ entry }) => entry.cpu === cpu)?.entry));
  return {
    entries: shown.map(({ entry }) => entry),
    detailOf(entry) {
      const { arrival } = byEntry.get(entry)!;
      const clock = clockOf(entry.cpu);
      const isFirst = firsts.has(entry);
      const title = isFirst
        ? [...(entry === shown[0]?.entry ? [] : ['']), `CPU: ${entry.cpu}`]
        : [];
      const time = `[${texts.get(entry)!.padStart(width)}]`;
      const ago = arrival === undefined || clock === undefined ? undefined : clock - arrival;
      return {
        lines: [...title, `${time} [${entry.state}]  ${taskHeader(entry)}`],
        json: {
          lastRunNs: arrival === undefined ? null : String(arrival),
          agoNs: ago === undefined ? null : String(ago),
        },
      };
    },
  };
}

/** The clock of each CPU's run queue when it was last looked at. */
function runQueueClocks(kernel: Kernel, gaps: Gaps): (cpu: number) => bigint | undefined {
  const clocks = new Map<number, bigint | undefined>();
  return (cpu) => {
    if (!clocks.has(cpu)) {
      const read = (): bigint => kernel.object('struct rq', kernel.perCpu('runqueues', cpu)).clock;
      clocks.set(cpu, gaps.attempt('clocks of run queues', read));
    }
    return clocks.get(cpu);
  };
}

/** `0 00:00:09.338`: days, hours, minutes, seconds. */
function agoText(nanoseconds: bigint): string {
  const milliseconds = nanoseconds / 1_000_000n;
  const part = (unit: bigint, count: bigint, digits: number): string =>
    String((milliseconds / unit) % count).padStart(digits, '0');
  const time = [part(3_600_000n, 24n, 2), part(60_000n, 60n, 2), part(1000n, 60n, 2)].join(':');
  return `${milliseconds / 86_400_000n} ${time}.${part(1n, 1000n, 3)}`;
}
