/**
 * `report`: what `lcrash -r` wrote after a crash. Its headings are those that a test of s390-tools
 * looks for in lcrash's; what stands below them is what our other commands say.
 */

import { jsonAddress, plural, printable } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { readLog } from '../linux/log.ts';
import { addressOf } from '../linux/objects.ts';
import { type PanicContext, panicTask } from '../linux/panic.ts';
import { stacksOf } from './bt.ts';
import type { StackBlock } from './bt-json.ts';
import { runningTasks } from './bt-targets.ts';
import type { Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { taskRows } from './lcrash-rows.ts';
import { logLines, systemFacts, systemJson, timeText, utsnameLines } from './lcrash-system.ts';
import { structTable, tableStyle } from './lcrash-table.ts';
import { recordJson } from './log.ts';
import { listTasks, type TaskEntry, taskReader } from './tasks.ts';
import { traceLines } from './trace.ts';

export const run: Run = (kernel, _, __, context) => {
  const gaps = new Gaps();
  const facts = systemFacts(kernel, gaps);
  const log = gaps.attempt('logs', () => readLog(kernel));
  const tasks = gaps.attempt('tasks', () => listTasks(kernel));
  const views = (tasks?.entries ?? []).map(({ view }) => view);
  const table = structTable(kernel, taskRows, views, tableStyle({}, context));
  const panic = gaps.attempt('panic tasks', () => panicTask(kernel));
  const failing = stacksOf(kernel, failingTasks(kernel, panic, gaps), {}, new Gaps());
  const cpus = stacksOf(
    kernel,
    gaps.attempt('CPUs', () => runningTasks(kernel, gaps)) ?? [],
    {},
    new Gaps(),
  );
  const parts = [gaps, log, tasks, table, failing.facts, cpus.facts];
  return {
    json: () => ({
      system: systemJson(facts),
      evidence: panic?.evidence ?? null,
      log: log?.records.map(recordJson) ?? null,
      tasks: table.json(),
      failing: failing.facts.json(),
      cpus: cpus.facts.json(),
    }),
    *text() {
      yield* headed('LCRASH CORE FILE REPORT');
      yield* [`TIME OF CRASH:`, `    ${timeText(facts)}`, ''];
      yield* [`PANIC STRING:`, `    ${printable(facts.panic ?? '')}`, ''];
      yield* [`DUMP:`, `    ${context.input}`, ''];
      yield* headed('COREFILE SUMMARY');
      yield* [`    ${summary(panic)}`, ''];
      yield* headed('UTSNAME INFORMATION');
      yield* utsnameLines(facts);
      yield '';
      yield* headed('LOG BUFFER DUMP');
      yield* logLines(log?.records ?? []);
      yield '';
      yield* headed('CURRENT SYSTEM TASKS');
      yield* table.lines();
      yield '';
      yield* stackLines('STACK TRACE OF FAILING TASK', failing.blocks);
      for (const block of cpus.blocks) {
        yield* stackLines(`TASK HAS CPU (${block.entry.cpu})`, [block]);
      }
    },
    counted: `${plural(views.length, 'task')}, ${plural(log?.records.length ?? 0, 'record')}`,
    missing: parts.flatMap((part) => part?.missing ?? []),
    errors: [gaps, tasks, table, failing.facts, cpus.facts].flatMap((part) => part?.errors ?? []),
  };
};

function failingTasks(
  kernel: Kernel,
  panic: PanicContext | undefined,
  gaps: Gaps,
): readonly TaskEntry[] {
  if (panic === undefined) return [];
  const entry = gaps.attempt('panic tasks', () => taskReader(kernel)(addressOf(panic.task)));
  return entry === undefined ? [] : [entry];
}

function summary(panic: PanicContext | undefined): string {
  if (panic === undefined) return 'Nothing in the dump says which task panicked.';
  const { task, cpu, evidence } = panic;
  const place = cpu === undefined ? '' : ` on CPU ${cpu}`;
  return `The task at ${jsonAddress(addressOf(task))} panicked${place}: ${evidence}.`;
}

function* headed(title: string): Generator<string> {
  const rule = '='.repeat(title.length);
  yield* [rule, title, rule, ''];
}

function* stackLines(title: string, blocks: readonly StackBlock[]): Generator<string> {
  yield* headed(title);
  for (const block of blocks) yield* traceLines(block);
  yield '';
}
