/** What `ps` -p, -c, -t, -a, -g and -r say of each task in place of the table. */

import { DumpError } from '../bytes/errors.ts';
import { printable } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf } from '../linux/objects.ts';
import { type ProcessArguments, processArguments } from '../linux/processes.ts';
import { systemInfo } from '../linux/system.ts';
import { parentOf } from '../linux/tasks.ts';
import type { Options } from './command.ts';
import type { Gaps } from './gaps.ts';
import type { Detail } from './ps-detail.ts';
import { limitLines, limitsJson, limitsOf } from './ps-limits.ts';
import { lastRuns } from './ps-runs.ts';
import { type TaskEntry, type Tasks, taskHeader, taskJson } from './tasks.ts';
import { duration } from './time.ts';

type ToDetail = (entry: TaskEntry) => Detail;

export interface Details {
  /** In the order that they are shown in. */
  readonly entries: readonly TaskEntry[];
  /** undefined: the table is what was asked for. */
  readonly detailOf: ToDetail | undefined;
}

export function detailsOf(
  kernel: Kernel,
  tasks: Tasks,
  entries: readonly TaskEntry[],
  options: Options,
  gaps: Gaps,
): Details {
  if (options.last === true || options.ago === true) {
    return lastRuns(kernel, entries, options, gaps);
  }
  if (options.threads === true) return withThreads(tasks, entries);
  return { entries, detailOf: detailOf(kernel, tasks, options, gaps) };
}

function detailOf(
  kernel: Kernel,
  tasks: Tasks,
  options: Options,
  gaps: Gaps,
): ToDetail | undefined {
  if (options.parents === true) return withParents(tasks, gaps);
  if (options.children === true) return withChildren(tasks, gaps);
  if (options.times === true) return withTimes(kernel);
  if (options.arguments === true) return withArguments(kernel, gaps);
  if (options.limits === true) return withLimits(gaps);
  return undefined;
}

/** Each group once, whichever of its threads was named. */
function withThreads(tasks: Tasks, wanted: readonly TaskEntry[]): Details {
  const groups = new Map<number, TaskEntry[]>();
  for (const entry of tasks.entries) {
    const group = groups.get(entry.tgid);
    if (group === undefined) groups.set(entry.tgid, [entry]);
    else group.push(entry);
  }
  // Where the first thread is not in the dump, the group still has its others.
  const leaderOf = ({ tgid }: TaskEntry): TaskEntry => {
    const group = groups.get(tgid)!;
    return group.find(({ pid }) => pid === tgid) ?? group[0]!;
  };
  return {
    entries: [...new Set(wanted.map(leaderOf))],
    detailOf(leader) {
      const others = groups.get(leader.tgid)!.filter((entry) => entry !== leader);
      const lines = others.map((entry) => `  ${taskHeader(entry)}`);
      return {
        lines: [taskHeader(leader), ...(lines.length > 0 ? lines : ['  (no threads)']), ''],
        json: { threads: others.map(taskJson) },
      };
    },
  };
}

function withLimits(gaps: Gaps): ToDetail {
  return (entry) => {
    const limits = gaps.attempt('resource limits', () => limitsOf(entry));
    if (limits === undefined) {
      return { lines: [taskHeader(entry), '(not in the dump)', ''], json: { limits: null } };
    }
    return { lines: limitLines(entry, limits), json: { limits: limitsJson(limits) } };
  };
}

function withParents(tasks: Tasks, gaps: Gaps): ToDetail {
  const byAddress = new Map(tasks.entries.map((entry) => [entry.address, entry]));
  return (entry) => {
    const line = [entry];
    for (;;) {
      const parent = gaps.attempt('parents', () => addressOf(parentOf(line[0]!.view)));
      const next = parent === undefined ? undefined : byAddress.get(parent);
      // The first task is its own parent; any other circle is damage.
      if (next === undefined || line.includes(next)) break;
      line.unshift(next);
    }
    return {
      lines: [...line.map((ancestor, depth) => ' '.repeat(depth) + taskHeader(ancestor)), ''],
      json: { parents: line.slice(0, -1).map(taskJson) },
    };
  };
}

function withChildren(tasks: Tasks, gaps: Gaps): ToDetail {
  const children = new Map<bigint, TaskEntry[]>();
  for (const entry of tasks.entries) {
    const parent = gaps.attempt('parents', () => addressOf(parentOf(entry.view)));
    // The first task is its own parent.
    if (parent === undefined || parent === entry.address) continue;
    const known = children.get(parent);
    if (known === undefined) children.set(parent, [entry]);
    else known.push(entry);
  }
  return (entry) => {
    const found = children.get(entry.address) ?? [];
    const lines = found.map((child) => `  ${taskHeader(child)}`);
    return {
      lines: [taskHeader(entry), ...(lines.length > 0 ? lines : ['  (no children)']), ''],
      json: { children: found.map(taskJson) },
    };
  };
}

function withTimes(kernel: Kernel): ToDetail {
  const { uptime } = systemInfo(kernel);
  return (entry) => {
    const startNs: bigint = entry.view.start_time;
    const userNs = String(entry.view.utime);
    const systemNs = String(entry.view.stime);
    const runSeconds =
      uptime === undefined ? undefined : Math.max(0, uptime - Number(startNs / 1_000_000_000n));
    return {
      lines: [
        taskHeader(entry),
        `    RUN TIME: ${runSeconds === undefined ? '?' : duration(runSeconds)}`,
        `  START TIME: ${startNs}`,
        `       UTIME: ${userNs}`,
        `       STIME: ${systemNs}`,
        '',
      ],
      json: {
        times: { runSeconds: runSeconds ?? null, startNs: String(startNs), userNs, systemNs },
      },
    };
  };
}

function withArguments(kernel: Kernel, gaps: Gaps): ToDetail {
  return (entry) => {
    let found: ProcessArguments | undefined;
    try {
      found = processArguments(kernel, entry.view);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      gaps.add('argument lists', error);
      return {
        lines: [taskHeader(entry), `(not in the dump: ${error.message})`, ''],
        json: { arguments: null, environment: null },
      };
    }
    if (found === undefined) {
      return {
        lines: [taskHeader(entry), 'ps: no user stack', ''],
        json: { arguments: null, environment: null },
      };
    }
    // Several NULs in a row are what a process that renames itself leaves behind.
    const args = found.args.filter((text) => text !== '').map(printable);
    const environment = found.environment.filter((text) => text !== '').map(printable);
    const environmentLines = (environment.length === 0 ? [''] : environment).map(
      (text, index) => `${index === 0 ? 'ENV: ' : '     '}${text}`,
    );
    return {
      lines: [taskHeader(entry), `ARG: ${args.join(' ')}`, ...environmentLines, ''],
      json: { arguments: found.args, environment: found.environment },
    };
  };
}
