/** `task`: the task_struct and the thread_info of tasks, whole or by member. */

import { jsonAddress } from '../bytes/text.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';
import { threadInfoAddress } from '../linux/tasks.ts';
import type { TypeRef } from '../linux/types.ts';
import type { Context, Radix, Run } from './command.ts';
import { Inspector, type Shown } from './inspect.ts';
import { type AskedValue, askedLines, askFor, readAsked } from './members.ts';
import { radixOf } from './radix.ts';
import { listTasks, selectTasks, type TaskEntry, taskHeader, taskJson } from './tasks.ts';
import { valueJson, valueText } from './value-text.ts';

/** One of the two structs of a task: all of it, or what was asked for. */
interface Part {
  readonly name: 'task_struct' | 'thread_info';
  readonly ref: TypeRef;
  readonly address: bigint;
  readonly whole: Shown | undefined;
  readonly members: readonly AskedValue[];
}

export const run: Run = (kernel, words, options, context) => {
  const radix = radixOf(options, context);
  const paths = typeof options.members === 'string' ? options.members.split(',') : [];
  const tasks = listTasks(kernel);
  const chosen = words.length > 0 ? words : [inQuestion(kernel, context)];
  const inspector = new Inspector(kernel);
  const found = selectTasks(tasks, chosen).map((entry) => ({
    entry,
    parts: partsOf(kernel, inspector, entry, paths),
  }));
  return {
    json: () => ({
      tasks: found.map(({ entry, parts }) => ({ ...taskJson(entry), ...partsJson(parts) })),
    }),
    *text() {
      for (const { entry, parts } of found) {
        yield taskHeader(entry);
        yield* partLines(kernel, parts, radix);
      }
    },
    missing: inspector.missing,
    errors: inspector.errors,
  };
};

/** What `set` chose or what panicked; where nobody knows it, the first idle task. */
function inQuestion(kernel: Kernel, context: Context): string {
  const panic = panicTask(kernel)?.task;
  const address = context.task ?? (panic === undefined ? undefined : addressOf(panic));
  return address === undefined ? '0' : `0x${address.toString(16)}`;
}

function partsOf(
  kernel: Kernel,
  inspector: Inspector,
  { address, view }: TaskEntry,
  paths: readonly string[],
): Part[] {
  const { types } = kernel;
  const own = types.get('struct task_struct');
  const info = types.get('struct thread_info');
  const isOfTask = (path: string): boolean =>
    types.memberOf(types.resolve(own), path) !== undefined ||
    types.memberOf(types.resolve(info), path) === undefined;
  const structs: readonly Omit<Part, 'whole' | 'members'>[] = [
    { name: 'task_struct', ref: own, address },
    { name: 'thread_info', ref: info, address: threadInfoAddress(view) },
  ];
  return structs.map((part) => {
    const mine = paths.filter((path) => isOfTask(path) === (part.name === 'task_struct'));
    const members = readAsked(inspector, askFor(types, part.ref, mine), part.address);
    const at = { type: typeOfRef(part.ref), address: part.address };
    return { ...part, members, whole: paths.length > 0 ? undefined : inspector.value(at) };
  });
}

function* partLines(kernel: Kernel, parts: readonly Part[], radix: Radix): Generator<string> {
  for (const { name, ref, whole, members } of parts) {
    if (whole !== undefined) {
      yield `struct ${name} ${valueText(whole, radix, 0)}`;
      yield '';
    }
    yield* askedLines(kernel.types, ref, members, radix);
  }
  if (parts.some(({ members }) => members.length > 0)) yield '';
}

function partsJson(parts: readonly Part[]): {
  readonly [key: string]: ReturnType<typeof valueJson>;
} {
  return Object.fromEntries(
    parts.map(({ name, address, whole, members }) => {
      const asked = members.map(({ path, shown }) => [path, valueJson(shown)] as const);
      const value = whole === undefined ? Object.fromEntries(asked) : valueJson(whole);
      return [name, { address: jsonAddress(address), value }];
    }),
  );
}
