/**
 * lcrash's tables: a title, a rule, a line for each structure, a rule, and how many there were;
 * with -f each line is followed by the structure, member by member.
 */

import { plural, printable } from '../bytes/text.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject } from '../linux/objects.ts';
import type { Answer, Context, Json, Options, Radix } from './command.ts';
import { Gaps } from './gaps.ts';
import { Inspector, type Shown } from './inspect.ts';
import { type Column, type Row, type RowKind, rowReader } from './lcrash-rows.ts';
import { radixOf } from './radix.ts';
import { valueJson, valueText } from './value-text.ts';

export const rule = '='.repeat(79);

export interface TableStyle {
  /** `whole`: with every member. */
  readonly detail: 'line' | 'whole';
  readonly radix: Radix;
}

/** What -f, -x and -d ask for. */
export function tableStyle(options: Options, context: Context): TableStyle {
  return { detail: options.full === true ? 'whole' : 'line', radix: radixOf(options, context) };
}

interface Entry {
  readonly view: KernelObject;
  readonly row: Row;
  readonly whole: Shown | undefined;
}

/** Structures of one kind, read: in both forms, and what is missing of them. */
export interface StructTable {
  json(): Row[];
  /** `after` gives lines to stand behind that of a structure. */
  lines(after?: (view: KernelObject) => Iterable<string>): Generator<string>;
  readonly missing: Answer['missing'];
  readonly errors: NonNullable<Answer['errors']>;
}

export function structTable(
  kernel: Kernel,
  kind: RowKind,
  views: Iterable<KernelObject>,
  { detail, radix }: TableStyle,
): StructTable {
  const gaps = new Gaps();
  const inspector = new Inspector(kernel);
  const read = rowReader(kernel, kind, gaps);
  const whole = (view: KernelObject): Shown => {
    const type = typeOfRef(kernel.types.get(kind.type));
    return inspector.value({ type, address: addressOf(view) });
  };
  const entries = [...views].flatMap((view): Entry[] => {
    // Where not even a beginning is, there is no such structure.
    const start = gaps.attempt(`${kind.type}s`, () => kernel.memory.u8(addressOf(view)));
    if (start === undefined) return [];
    const shown = detail === 'whole' ? gaps.attempt('structs', () => whole(view)) : undefined;
    return [{ view, row: read(view), whole: shown }];
  });
  return {
    json: () =>
      entries.map(({ row, whole }) => {
        return whole === undefined ? row : { ...row, value: valueJson(whole) };
      }),
    *lines(after = () => []) {
      yield kind.columns.map(titleOf).join(' ').trimEnd();
      yield rule;
      for (const { view, row, whole } of entries) {
        yield rowLine(kind.columns, row);
        if (whole !== undefined) yield `${kind.type} ${valueText(whole, radix, 0)}`;
        yield* after(view);
      }
      yield rule;
      yield `${plural(entries.length, `${kind.type.replace(/^\w+ /, '')} struct`)} found`;
    },
    missing: [...gaps.missing, ...inspector.missing],
    errors: [...gaps.errors, ...inspector.errors],
  };
}

function titleOf({ title, width }: Column): string {
  return aligned(title, width);
}

function rowLine(columns: readonly Column[], row: Row): string {
  return columns
    .map(({ key, width, base }) => aligned(cellText(row[key], base), width))
    .join(' ')
    .trimEnd();
}

function aligned(text: string, width: number): string {
  return width < 0 ? text.padEnd(-width) : text.padStart(width);
}

/** `?` is not in the dump. */
function cellText(value: Json | undefined, base: 10 | 16 = 10): string {
  if (value === null || value === undefined) return '?';
  if (Array.isArray(value)) return value.length === 0 ? '' : `[${value.join(' ')}]`;
  if (typeof value === 'number') return `${base === 16 ? '0x' : ''}${value.toString(base)}`;
  return printable(String(value));
}
