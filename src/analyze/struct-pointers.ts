/** `struct -p`: members with what their pointers lead to, in crash's lines. */

import { attempt, type DumpError } from '../bytes/errors.ts';
import { declaration } from '../linux/declarations.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Json, Radix } from './command.ts';
import type { Inspector, Shown } from './inspect.ts';
import type { AskedValue } from './members.ts';
import { valueJson, valueText } from './value-text.ts';

/** Below, addresses are a user's. */
const kernelSpace = 1n << 63n;

/** What a pointer leads to. */
export interface Target {
  readonly number: bigint;
  /** What begins there. */
  readonly symbol: string | undefined;
  /** Undefined where the type does not say what is there, and where it is not in the dump. */
  readonly shown: Shown | undefined;
  /** Stands in place of `shown`. */
  readonly note: string;
}

/** Undefined for a member that is no pointer, or that cannot be read itself. */
export function followed(
  kernel: Kernel,
  inspector: Inspector,
  { member, shown }: AskedValue,
  lost: (problem: DumpError) => void,
): Target | undefined {
  const { types, symbols } = kernel;
  const type = types.resolve(member.type);
  if (type.kind !== 'pointer' || shown.kind !== 'pointer') return undefined;
  const { number } = shown;
  const nothing = { number, symbol: undefined, shown: undefined };
  if (number === 0n) return { ...nothing, note: 'NULL' };
  const at = number < kernelSpace ? undefined : symbols.at(number);
  const symbol = at?.offset === 0 ? at.symbol.name : undefined;
  const target = types.resolve(type.target);
  if (target.kind === 'opaque') {
    const what = target.name === '' ? '(unknown)' : '(unknown target type)';
    return { ...nothing, symbol, note: symbol === undefined ? what : '' };
  }
  if (target.kind === 'int' && target.char) {
    const text = inspector.textAt(number);
    return { ...nothing, symbol, note: text ?? '(not accessible)' };
  }
  const place = { type: typeOfRef(type.target), address: number };
  const value = attempt(
    () => inspector.value(place),
    (problem) => {
      // What cannot be read the inspector counts itself.
      if (!inspector.errors.includes(problem)) lost(problem);
    },
  );
  return { number, symbol, shown: value, note: '(not accessible)' };
}

/** `  struct cred *cred = 0xffffffff9bc599a0` and below it `  -> <init_cred> {` with the rest. */
export function* targetLines(
  { path, member }: AskedValue,
  { number, symbol, shown, note }: Target,
  radix: Radix,
): Generator<string> {
  yield `  ${declaration(member.type, path)} = 0x${number.toString(16)}`;
  const value = shown === undefined ? note : targetText(shown, radix);
  const parts = [symbol === undefined ? '' : `<${symbol}>`, value].filter((part) => part !== '');
  yield `  -> ${parts.join(' ').replaceAll('\n', '\n     ')}`;
}

function targetText(shown: Shown, radix: Radix): string {
  return shown.kind === 'pointer' ? shown.number.toString(16) : valueText(shown, radix, 0);
}

export function targetJson({ symbol, shown, note }: Target): Json {
  const isText = note.startsWith('"');
  return {
    symbol: symbol ?? null,
    value: shown !== undefined ? valueJson(shown) : isText ? note.slice(1, -1) : null,
  };
}
