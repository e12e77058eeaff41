/** `dis`: instructions as crash shows them, with symbols; where the panic happened is marked. */

import { attempt, DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import { backtrace } from '../linux/backtrace.ts';
import { evaluateAddress } from '../linux/expression.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { panicTask } from '../linux/panic.ts';
import type { SymbolAt } from '../linux/symbols.ts';
import { functionEnd, readCode } from './code.ts';
import {
  type Answer,
  atMostOne,
  type Context,
  type Json,
  type Options,
  type Radix,
  type Run,
} from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import { bad, type Decoded, decode, longestInstruction } from './instructions.ts';
import { hexNumber } from './numbers.ts';
import { radixOf } from './radix.ts';

const maxCount = 100_000;
/** Instructions reach into constants of a size like this by a fixed offset, larger by an index. */
const farFromSymbol = 1024;

const noLineTables =
  'a vmcore has no line tables: -l adds nothing; addr2line or faddr2line makes a line of ' +
  'SYMBOL+OFFSET where the debug symbols of this kernel are at hand';

/** What was asked for, before anything is read. */
interface Request {
  readonly memory: AddressSpace;
  readonly kind: 'kernel' | 'user';
  readonly direction: 'from' | 'up to';
  readonly target: bigint;
  readonly symbol: SymbolAt | undefined;
  /** Undefined: to the end of the function. */
  readonly count: number | undefined;
}

interface Found {
  readonly instructions: readonly Decoded[];
  /** Why there are not more. */
  readonly problem: DumpError | undefined;
}

/** Instructions that the panic has to do with. */
interface Marks {
  /** Of the exception that led to the panic. */
  readonly faulting: bigint | undefined;
  /** By the address behind a call: the frame of the panic task that it belongs to. */
  readonly returns: ReadonlyMap<bigint, number>;
}

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['reverse', 'forward', 'user']);
  if (options.skipped !== undefined && words.length === 0) return skippedBytes(options.skipped);
  const radix = radixOf(options, context);
  const request = requestOf(kernel, words, options, context);
  const { instructions, problem } = find(kernel, request);
  const marks = request.kind === 'kernel' ? marksOf(kernel) : noMarks;
  return {
    json: () => ({
      kind: request.kind,
      instructions: instructions.map((one) => instructionJson(kernel, request, one, marks)),
    }),
    *text() {
      for (const one of instructions) yield line(kernel, request, one, marks, radix);
    },
    counted: plural(instructions.length, 'instruction'),
    missing:
      problem === undefined ? [] : [{ what: 'instructions', count: null, why: problem.message }],
    errors: problem === undefined ? [] : [problem],
    notes: [
      ...(options.line === true ? [noLineTables] : []),
      ...goesOn(kernel, request, instructions),
    ],
  };
};

/** What does not lead on to the instruction behind it, or only fills up. */
const lastOfFunction = /^(\S+ )?(ret|jmp|iret|sysret|sysexit|call|int3|ud2|hlt|nop|xchg|data16)/;

/** Labels within assembler code are symbols as well: what seems to be a function may be a part. */
function goesOn(kernel: Kernel, request: Request, instructions: readonly Decoded[]): string[] {
  const last = instructions.at(-1);
  if (request.kind === 'user' || request.count !== undefined || last === undefined) return [];
  if (request.direction === 'up to' || lastOfFunction.test(last.text)) return [];
  const next = placeOf(kernel, request, endOf(last));
  return next === undefined ? [] : [`the code goes on: dis ${next.symbol.name}`];
}

/** `dis -b`. Since v2.6.20 __bug_table says what belongs to a ud2: nothing stands behind it. */
function skippedBytes(given: string | boolean): Answer {
  if (typeof given === 'string' && given !== '0') {
    throw new DumpError('unsupported', 'no kernel since 2.6.20 has bytes behind a ud2 to skip');
  }
  return {
    json: () => ({ kind: 'kernel', instructions: [] }),
    text: () => ['encoded bytes being skipped after ud2a: 0'],
    missing: [],
  };
}

function requestOf(
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  context: Context,
): Request {
  const hasCount = words.length > 1 && /^(\d+|0x[0-9a-f]+)$/i.test(words.at(-1)!);
  const place = (hasCount ? words.slice(0, -1) : words).join(' ');
  if (place === '') {
    throw new DumpError('usage', 'dis needs an address', {
      hint: 'dis schedule, dis -r schedule+19, dis ffffffff81000000 10',
    });
  }
  const given = hasCount ? countOf(words.at(-1)!) : undefined;
  if (options.user === true) {
    const memory = addressSpaceOf(kernel, contextTask(kernel, context));
    const target = hexNumber(place);
    const count = given ?? 1;
    return { memory, kind: 'user', direction: 'from', target, symbol: undefined, count };
  }
  refuseAmbiguous(kernel, place);
  const target = evaluateAddress(kernel, place);
  const symbol = nameAsAsked(kernel, place, kernel.symbols.at(target));
  const isFunction = /^\(?[\w.$]+\)?$/.test(place) && symbol?.offset === 0;
  const toEnd = given === undefined && (isFunction || options.forward === true);
  return {
    memory: kernel.memory,
    kind: 'kernel',
    direction: options.reverse === true ? 'up to' : 'from',
    target,
    symbol,
    count: given ?? (toEnd || options.reverse === true ? undefined : 1),
  };
}

/** Of several symbols at one address the one that was asked for gives the instructions its name. */
function nameAsAsked(
  kernel: Kernel,
  place: string,
  found: SymbolAt | undefined,
): SymbolAt | undefined {
  const name = /^\(?([\w.$]+)/.exec(place)?.[1];
  if (found === undefined || name === undefined || name === found.symbol.name) return found;
  const asked = kernel.symbols.lookup(name);
  return asked?.address === found.symbol.address ? { ...found, symbol: asked } : found;
}

function countOf(word: string): number {
  const count = Number(word);
  if (count >= 1 && count <= maxCount) return count;
  throw new DumpError('usage', `"${word}" is no count from 1 to ${maxCount}`);
}

/** Static functions share names: which one is meant only the user knows. */
function refuseAmbiguous(kernel: Kernel, place: string): void {
  const name = /^\(?([A-Za-z_.$][\w.$]*)/.exec(place)?.[1];
  if (name === undefined) return;
  const all = kernel.symbols.lookupAll(name).filter(({ type }) => /^[tTwW]$/.test(type));
  if (all.length < 2) return;
  const list = all.map(({ address, module }) => {
    return `${address.toString(16)}${module === undefined ? '' : ` [${module}]`}`;
  });
  throw new DumpError('usage', `${all.length} functions are called "${name}"`, {
    hint: `name one by its address: ${list.slice(0, 8).join(', ')}`,
  });
}

function find(kernel: Kernel, request: Request): Found {
  const { memory, target, symbol, count, direction } = request;
  if (direction === 'up to') {
    const before = instructionsOf(memory, startOf(request), target + BigInt(longestInstruction));
    // Where the address is none of an instruction crash goes on to the next that is.
    const at = before.instructions.findIndex(({ address }) => address >= target);
    const upTo = before.instructions.slice(0, at < 0 ? undefined : at + 1);
    const isThere = at >= 0 || endOf(upTo.at(-1)!) > target;
    const problem = isThere ? undefined : before.problem;
    return { instructions: count === undefined ? upTo : upTo.slice(-count), problem };
  }
  if (count !== undefined) {
    const end = target + BigInt(count * longestInstruction);
    const from = instructionsOf(memory, target, end);
    const instructions = from.instructions.slice(0, count);
    return { instructions, problem: instructions.length < count ? from.problem : undefined };
  }
  if (symbol === undefined) {
    throw new DumpError('absent', 'no function is known to be there', {
      where: { virtual: target },
      hint: 'give a number of instructions: dis ADDRESS 10',
    });
  }
  let lost: DumpError | undefined;
  const end = functionEnd(kernel, symbol.symbol, (problem) => {
    lost ??= problem;
  });
  const whole = instructionsOf(memory, startOf(request), end);
  const later = whole.instructions.filter(({ address }) => address >= target);
  // The start of the function may be in a page that is not there.
  const found = later.length > 0 ? { ...whole, instructions: later } : undefined;
  const { instructions, problem } = found ?? instructionsOf(memory, target, end);
  return { instructions, problem: problem ?? lost };
}

/** Where the function begins; the target itself where it is in none. */
function startOf({ target, symbol }: Request): bigint {
  return symbol === undefined ? target : target - BigInt(symbol.offset);
}

function endOf({ address, length }: Decoded): bigint {
  return address + BigInt(length);
}

/** Those that begin before `end`. Throws where not a single byte can be read. */
function instructionsOf(memory: AddressSpace, start: bigint, end: bigint): Found {
  const { bytes, problem } = readCode(memory, start, end + BigInt(longestInstruction));
  const instructions: Decoded[] = [];
  const last = start + BigInt(bytes.length);
  for (const one of decode(bytes, start)) {
    if (one.address >= end) break;
    // What is bad here may be what the missing page has the rest of.
    const isCut = one.text === bad && one.address + BigInt(longestInstruction) > last;
    if (isCut && problem !== undefined) break;
    instructions.push(one);
  }
  const isWhole = problem === undefined || last >= end;
  return { instructions, problem: isWhole ? undefined : problem };
}

const noMarks: Marks = { faulting: undefined, returns: new Map() };

/** Of the task that panicked; a dump that does not tell has no marks. */
function marksOf(kernel: Kernel): Marks {
  const trace = attempt(() => {
    const panic = panicTask(kernel);
    return panic === undefined ? undefined : backtrace(kernel, { task: panic.task });
  });
  if (trace === undefined) return noMarks;
  // The innermost: outside of it may be one that was being dealt with, as of user memory.
  const exception = trace.frames.find(
    ({ kind, registers }) => kind === 'exception' && registers?.userMode === false,
  );
  const calls = trace.frames
    .filter(({ kind }) => kind !== 'start' && kind !== 'interrupted')
    .reverse();
  return {
    faulting: exception?.registers?.values.rip,
    // The innermost of a function that calls itself.
    returns: new Map(calls.map(({ address, index }) => [address, index])),
  };
}

/** The symbol that an instruction belongs to. */
function placeOf(
  kernel: Kernel,
  { symbol: asked }: Request,
  address: bigint,
): SymbolAt | undefined {
  const place = kernel.symbols.at(address);
  if (place === undefined || place.symbol.address !== asked?.symbol.address) return place;
  return { ...place, symbol: asked.symbol };
}

function line(kernel: Kernel, request: Request, one: Decoded, marks: Marks, radix: Radix): string {
  const address = `0x${one.address.toString(16)}`;
  if (request.symbol === undefined) return `   ${address}:\t${one.text}`;
  const place = placeOf(kernel, request, one.address);
  const name = place === undefined ? '' : ` <${placeText(place, radix)}>`;
  const target = targetPlace(kernel, request, one);
  const targetName = target === undefined ? '' : ` <${placeText(target, radix)}>`;
  const isHook = place?.offset === 0 && one.text.includes('nopl   0x0(%rax,%rax,1)');
  const mark = one.address === marks.faulting ? '=> ' : '';
  return `${mark}${address}${name}:\t${one.text}${targetName}${isHook ? ' [FTRACE NOP]' : ''}`;
}

/** Constants have no symbols: the one far before them says nothing about them. */
function targetPlace(kernel: Kernel, request: Request, { target }: Decoded): SymbolAt | undefined {
  const place = target === undefined ? undefined : placeOf(kernel, request, target);
  if (place === undefined || place.offset < farFromSymbol) return place;
  const [start, end] = ['__start_rodata', '__end_rodata'].map(
    (name) => kernel.symbols.inKernel(name)?.address ?? 0n,
  );
  return target! >= start! && target! < end! ? undefined : place;
}

function placeText({ symbol, offset }: SymbolAt, radix: Radix): string {
  if (offset === 0) return symbol.name;
  return `${symbol.name}+${radix === 'hexadecimal' ? `0x${offset.toString(16)}` : offset}`;
}

function instructionJson(
  kernel: Kernel,
  request: Request,
  one: Decoded,
  { faulting, returns }: Marks,
): Json {
  const { memory, kind } = request;
  const place = kind === 'kernel' ? placeOf(kernel, request, one.address) : undefined;
  const target = one.target;
  const symbol = kind === 'user' ? undefined : targetPlace(kernel, request, one);
  const bytes = memory.read(one.address, one.length);
  return {
    address: jsonAddress(one.address),
    symbol: place?.symbol.name ?? null,
    offset: place?.offset ?? null,
    module: place?.symbol.module ?? null,
    bytes: [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
    text: one.text.trimEnd(),
    target: target === undefined ? null : jsonAddress(target),
    targetSymbol: symbol === undefined ? null : placeText(symbol, 'decimal'),
    faulting: one.address === faulting,
    frame: returns.get(endOf(one)) ?? null,
  };
}
