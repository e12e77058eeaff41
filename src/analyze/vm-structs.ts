/** `vm -m` and `vm -v`: the structs behind an address space, member by member. */

import { jsonAddress } from '../bytes/text.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject, typeOf } from '../linux/objects.ts';
import { vmasOf } from '../linux/vma.ts';
import type { Answer, Context, Json, Missing, Options } from './command.ts';
import { contextTasks } from './context.ts';
import { Gaps } from './gaps.ts';
import { Inspector, type Shown } from './inspect.ts';
import { radixOf } from './radix.ts';
import { type TaskEntry, taskHeader, taskJson } from './tasks.ts';
import { valueJson, valueText } from './value-text.ts';

interface Struct {
  readonly type: string;
  readonly address: bigint;
  readonly shown: Shown;
}

interface Block {
  readonly entry: TaskEntry;
  readonly structs: readonly Struct[];
}

interface Request {
  readonly options: Options;
  readonly context: Context;
  readonly which: 'mm' | 'vmas';
}

/** The mm_struct of each task (`mm`), or its vm_area_structs. */
export function structsOf(kernel: Kernel, words: readonly string[], request: Request): Answer {
  const { context, which } = request;
  const radix = radixOf(request.options, context);
  const gaps = new Gaps();
  const inspector = new Inspector(kernel);
  const blocks = contextTasks(kernel, context, words).map((entry): Block => {
    const structs = viewsOf(kernel, entry, which, gaps).flatMap((view) => {
      return gaps.attempt('structs', () => structOf(kernel, inspector, view)) ?? [];
    });
    return { entry, structs };
  });
  const missing: readonly Missing[] = [...gaps.missing, ...inspector.missing];
  return {
    json: () => ({ tasks: blocks.map(blockJson) }),
    *text() {
      for (const [index, { entry, structs }] of blocks.entries()) {
        if (index > 0) yield '';
        yield taskHeader(entry);
        for (const { type, shown } of structs) yield `${type} ${valueText(shown, radix, 0)}`;
      }
    },
    missing,
    errors: [...gaps.errors, ...inspector.errors],
  };
}

function viewsOf(
  kernel: Kernel,
  { view }: TaskEntry,
  which: 'mm' | 'vmas',
  gaps: Gaps,
): readonly KernelObject[] {
  const mm = view.mm as KernelObject | null;
  if (mm === null) return [];
  if (which === 'mm') return [mm];
  const { vmas, problems } = vmasOf(kernel, mm);
  for (const problem of problems) gaps.add('mappings', problem);
  return vmas;
}

function structOf(kernel: Kernel, inspector: Inspector, view: KernelObject): Struct {
  const type = typeOf(view);
  const address = addressOf(view);
  return {
    type,
    address,
    shown: inspector.value({ type: typeOfRef(kernel.types.get(type)), address }),
  };
}

function blockJson({ entry, structs }: Block): Json {
  return {
    ...taskJson(entry),
    structs: structs.map(({ type, address, shown }) => ({
      type,
      address: jsonAddress(address),
      value: valueJson(shown),
    })),
  };
}
