/** `foreach`: one command for many tasks, each being the task in question in its turn. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import {
  type Answer,
  type Context,
  type Json,
  type Missing,
  type Question,
  type Run,
  wrappedIn,
} from './command.ts';
import { Gaps } from './gaps.ts';
import {
  listTasks,
  selectTasks,
  type TaskEntry,
  type Tasks,
  taskHeader,
  taskJson,
} from './tasks.ts';

/** Words that are no names of tasks. */
const kinds: Readonly<Record<string, (entry: TaskEntry) => boolean>> = {
  user: ({ kernelThread, pid }) => !kernelThread && pid !== 0,
  kernel: ({ kernelThread }) => kernelThread,
  gleader: ({ kernelThread, pid, tgid }) => !kernelThread && pid === tgid,
  active: ({ active }) => active,
};
/** crash's letters of states. */
const states = ['RU', 'IN', 'UN', 'ST', 'ZO', 'TR', 'SW', 'DE', 'WA', 'PA', 'ID', 'NE'];

export const run: Run = (kernel, words, _, context) => {
  const inner = wrappedIn(context, 'foreach', words);
  const tasks = listTasks(kernel);
  const entries = chosen(tasks, words);
  let gaps = new Gaps();
  let parts: Answer[] = [];
  function* answers(): Generator<{ readonly entry: TaskEntry; readonly answer: Answer }> {
    gaps = new Gaps();
    parts = [];
    for (const entry of entries) {
      const about: Context = { ...context, task: entry.address, about: 'task' };
      const answer = answerFor(kernel, inner, about, gaps);
      if (answer === undefined) continue;
      if (answer.passesOver !== true) yield { entry, answer };
      parts.push(answer);
    }
  }
  return {
    json: () => ({
      schema: inner.command.schema,
      answers: Array.from(answers(), ({ entry, answer }): Json => {
        return { ...taskJson(entry), data: answer.json(), complete: answer.missing.length === 0 };
      }),
    }),
    *text() {
      for (const { entry, answer } of answers()) {
        yield* linesOf(entry, answer);
        yield '';
      }
    },
    counted: plural(entries.length, 'task'),
    get missing() {
      const own = parts.flatMap((part) => part.missing);
      return together([...tasks.missing, ...gaps.missing, ...own]);
    },
    get errors() {
      return [...tasks.errors, ...gaps.errors, ...parts.flatMap(({ errors = [] }) => errors)];
    },
  };
};

/** One entry a kind, with the first reason: many tasks lack the same. */
function together(all: readonly Missing[]): Missing[] {
  const kinds = new Map<string, Missing>();
  for (const next of all) {
    const { what, count, why } = kinds.get(next.what) ?? { ...next, count: 0 };
    const sum = count === null || next.count === null ? null : count + next.count;
    kinds.set(what, { what, count: sum, why });
  }
  return [...kinds.values()];
}

/** Of all that the words name; a kind or a state and a name each add theirs. */
function chosen(tasks: Tasks, words: readonly string[]): readonly TaskEntry[] {
  if (words.length === 0) return tasks.entries;
  const found = new Set<TaskEntry>();
  for (const word of words) {
    const isOfKind =
      kinds[word] ?? (states.includes(word) ? ({ state }: TaskEntry) => state === word : undefined);
    const named =
      isOfKind === undefined ? selectTasks(tasks, [word]) : tasks.entries.filter(isOfKind);
    for (const entry of named) found.add(entry);
  }
  return tasks.entries.filter((entry) => found.has(entry));
}

/** Undefined where nothing can be said of this task: counted. */
function answerFor(
  kernel: Kernel,
  { command, ask }: Question,
  context: Context,
  gaps: Gaps,
): Answer | undefined {
  try {
    return ask(kernel, context);
  } catch (error) {
    // A wrong option is wrong for every task.
    if (!(error instanceof DumpError) || error.code === 'usage') throw error;
    gaps.add(command.name, error);
    return undefined;
  }
}

/** Below the header of the task, which many commands print themselves. */
function* linesOf(entry: TaskEntry, answer: Answer): Generator<string> {
  const header = taskHeader(entry);
  let isFirst = true;
  for (const line of answer.text()) {
    if (isFirst && line !== header) yield header;
    isFirst = false;
    yield line;
  }
  if (isFirst) yield header;
}
