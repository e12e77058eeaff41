/** `vtop`: virtual addresses to physical ones, with every level of the page tables. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural, printable } from '../bytes/text.ts';
import type { PageState } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { type PageFrame, PageFrames } from '../linux/page-frame.ts';
import { type Translation, type WalkStep, walk } from '../linux/paging.ts';
import { findVma, vmasOf } from '../linux/vma.ts';
import { hex } from './columns.ts';
import { atMostOne, type Context, type Json, type Options, type Run } from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import { Gaps } from './gaps.ts';
import { hexOrAddress, needWords } from './numbers.ts';
import { pageEntryJson, pageEntryLines } from './page-entry-text.ts';
import { frameJson, frameLine, frameTitle } from './page-frame-text.ts';
import { absenceOf, pageStateAt } from './page-state.ts';
import type { TaskEntry } from './tasks.ts';
import { type VmaRow, vmaJson, vmaLine, vmaRow, vmaTitle } from './vma-text.ts';

/** User and kernel addresses are set apart by their highest bit. */
const kernelHalf = 1n << 63n;

interface Result {
  readonly virtual: bigint;
  readonly space: 'user' | 'kernel';
  readonly steps: readonly WalkStep[];
  /** undefined: not mapped. */
  readonly mapped: Translation | undefined;
  readonly state: PageState | undefined;
  readonly frame: PageFrame | undefined;
  readonly vma: VmaRow | undefined;
}

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['user', 'kernel']);
  needWords(words, 'vtop', 'an address');
  const gaps = new Gaps();
  const translator = new Translator(kernel, options, context, gaps);
  const results = words.map((word) => translator.translate(hexOrAddress(kernel, word)));
  return {
    json: () => ({ translations: results.map(resultJson) }),
    text: () => lines(kernel, results),
    counted: plural(results.length, 'translation'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
};

class Translator {
  readonly #kernel: Kernel;
  readonly #options: Options;
  readonly #context: Context;
  readonly #gaps: Gaps;
  #frames: PageFrames | undefined;
  #task: TaskEntry | undefined;

  constructor(kernel: Kernel, options: Options, context: Context, gaps: Gaps) {
    this.#kernel = kernel;
    this.#options = options;
    this.#context = context;
    this.#gaps = gaps;
  }

  translate(virtual: bigint): Result {
    const { user, kernel: inKernel, context } = this.#options;
    const isUser = user === true || (inKernel !== true && virtual < kernelHalf);
    const ofTask = isUser || context !== undefined;
    const memory = ofTask ? addressSpaceOf(this.#kernel, this.task) : this.#kernel.memory;
    const steps: WalkStep[] = [];
    const mapped = this.#walk(memory, virtual, steps);
    const place = mapped?.physical;
    return {
      virtual,
      space: isUser ? 'user' : 'kernel',
      steps,
      mapped,
      state: place === undefined ? undefined : pageStateAt(this.#kernel, place),
      frame: place === undefined ? undefined : this.#frame(place),
      vma: isUser ? this.#vma(virtual) : undefined,
    };
  }

  /** The task whose page tables count; asked only where they do. */
  get task(): TaskEntry {
    this.#task ??= contextTask(this.#kernel, this.#context, this.#options.context);
    return this.#task;
  }

  /** Undefined where nothing is mapped; a table that is not in the dump is a gap. */
  #walk(memory: AddressSpace, virtual: bigint, steps: WalkStep[]): Translation | undefined {
    const tables = memory.physical;
    try {
      return walk(tables, memory.root, virtual, (step) => steps.push(step));
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      if (error.where.pfn !== undefined) this.#gaps.add('page tables', error);
      return undefined;
    }
  }

  #frame(physical: bigint): PageFrame | undefined {
    return this.#gaps.attempt('struct pages', () => {
      this.#frames ??= new PageFrames(this.#kernel);
      return this.#frames.frame(Number(physical >> 12n));
    });
  }

  #vma(virtual: bigint): VmaRow | undefined {
    return this.#gaps.attempt('mappings', () => {
      const { mm } = this.task.view;
      if (mm === null) return undefined;
      const walked = vmasOf(this.#kernel, mm);
      for (const problem of walked.problems) this.#gaps.add('mappings', problem);
      const vma = findVma(walked, virtual);
      return vma && vmaRow(this.#kernel, vma, this.#gaps);
    });
  }
}

function* lines(kernel: Kernel, results: readonly Result[]): Generator<string> {
  let isFirst = true;
  for (const result of results) {
    if (!isFirst) yield '';
    isFirst = false;
    yield* walkLines(kernel, result);
    if (result.vma !== undefined) yield* vmaLines(result.vma, result);
    yield '';
    if (result.frame !== undefined) {
      yield* [frameTitle, frameLine(result.frame, result.mapped!.physical)];
    }
    const absence = result.state === undefined ? undefined : absenceOf(result.state);
    if (absence !== undefined) yield `  DUMP: the page is ${absence}`;
  }
}

function* walkLines(kernel: Kernel, result: Result): Generator<string> {
  const { virtual, space, steps, mapped } = result;
  const width = space === 'user' ? 10 : 16;
  const physical = mapped === undefined ? '(not mapped)' : hex(mapped.physical).padEnd(16);
  const address = space === 'user' ? hex(virtual) : hex16(virtual);
  yield `${'VIRTUAL'.padEnd(width)}  ${'PHYSICAL'.padEnd(16)}`;
  yield `${address.padEnd(width)}  ${physical}`;
  yield '';
  for (const step of steps) yield* stepLines(kernel, space, step);
  if (mapped === undefined) {
    const last = steps.at(-1);
    if (last?.level === 'PTE' && last.entry !== 0n) yield* ['', ...pageEntryLines(last.entry)];
    return;
  }
  const { pageSize } = mapped;
  const size = pageSize === 4096 ? '' : pageSize === 2 ** 21 ? '  (2MB)' : '  (1GB)';
  yield `  PAGE: ${hex(mapped.physical - (mapped.physical % BigInt(pageSize)))}${size}`;
  yield '';
  yield* pageEntryLines(mapped.entry);
}

/** Of a page that is not in memory, where its file has it. */
function* vmaLines(vma: VmaRow, { virtual, mapped, steps }: Result): Generator<string> {
  yield* ['', vmaTitle, vmaLine(vma)];
  if (mapped !== undefined || vma.path === null || steps.at(-1)?.entry !== 0n) return;
  const offset = vma.offset + (virtual & ~0xfffn) - vma.start;
  yield* [
    '',
    `FILE: ${vma.path === undefined ? '?' : printable(vma.path)}  OFFSET: ${hex(offset)}`,
  ];
}

/** crash gives the top table of the kernel by its virtual address, and no address of its entry. */
function* stepLines(kernel: Kernel, space: string, step: WalkStep): Generator<string> {
  const { level, address, entry } = step;
  if (space === 'user' || level !== 'PGD') {
    yield `   ${level}: ${hex(address)} => ${hex(entry)}`;
    return;
  }
  const table = kernel.symbolAddress('init_top_pgt') ?? kernel.symbolAddress('swapper_pg_dir');
  yield `PGD DIRECTORY: ${table === undefined ? '?' : hex16(table)}`;
  yield `PAGE DIRECTORY: ${hex(entry)}`;
}

function resultJson(result: Result): Json {
  const { virtual, space, steps, mapped, state, frame, vma } = result;
  return {
    virtual: jsonAddress(virtual),
    space,
    physical: mapped === undefined ? null : jsonAddress(mapped.physical),
    pageSize: mapped?.pageSize ?? null,
    writable: mapped?.writable ?? null,
    executable: mapped?.executable ?? null,
    state: state ?? null,
    steps: steps.map(({ level, address, entry }) => ({
      level,
      address: jsonAddress(address),
      entry: jsonAddress(entry),
    })),
    entry: mapped === undefined ? null : pageEntryJson(mapped.entry),
    page: frame === undefined ? null : frameJson(frame),
    mapping: vma === undefined ? null : vmaJson(vma),
  };
}
