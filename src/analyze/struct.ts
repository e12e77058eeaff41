/** `struct` and `union`: what a type looks like, and what stands in memory where one lies. */

import { DumpError } from '../bytes/errors.ts';
import { evaluateAddress } from '../linux/expression.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { TypeRef, TypeTable } from '../linux/types.ts';
import { type Answer, atMostOne, type Context, type Options, type Run } from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import { takeCpus } from './cpu-list.ts';
import { fileBytes } from './file-bytes.ts';
import { definitionLines, type Prefix, pathLine } from './layout.ts';
import { askFor } from './members.ts';
import { radixOf } from './radix.ts';
import {
  addresses,
  instances,
  type Place,
  pointedObjects,
  type Request,
  rawObjects,
  typeJson,
} from './struct-objects.ts';

/** Of one array of structs. */
const maxCount = 10_000;

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['raw', 'pointers']);
  atMostOne(options, ['user', 'file']);
  const [what, ...where] = words;
  if (what === undefined) {
    throw new DumpError('usage', 'struct needs the name of a type', {
      hint: 'struct list_head, struct task_struct.comm,pid init_task',
    });
  }
  const [name = '', ...paths] = memberPaths(what);
  const { types } = kernel;
  const ref = structureNamed(types, name);
  const title = `${isUnion(types, ref) ? 'union' : 'struct'} ${name}`;
  const request = {
    title,
    types,
    ref,
    asked: askFor(types, ref, paths),
    radix: radixOf(options, context),
    ...memoryOf(kernel, options, context),
  };
  if (where.length === 0) {
    refuseWithoutAddress(options);
    return definition(request, options);
  }
  const places = placesOf(kernel, request, where, options, context);
  if (options.offsets === true) return addresses(request, places);
  if (options.raw === true) return rawObjects(request, places);
  return options.pointers === true
    ? pointedObjects(kernel, request, places)
    : instances(kernel, request, places);
};

function memoryOf(
  kernel: Kernel,
  options: Options,
  context: Context,
): Pick<Request, 'memory' | 'pointed'> {
  if (options.file === true) return { memory: fileBytes(kernel), pointed: kernel.memory };
  const isUser = options.user === true;
  const memory = isUser ? addressSpaceOf(kernel, contextTask(kernel, context)) : kernel.memory;
  return { memory, pointed: memory };
}

function refuseWithoutAddress(options: Options): void {
  const given = ['raw', 'pointers', 'user', 'file'].find((name) => options[name] !== undefined);
  if (given === undefined) return;
  throw new DumpError('usage', `--${given} needs an address`, { hint: 'struct NAME ADDRESS' });
}

export function isUnion(types: TypeTable, ref: TypeRef): boolean {
  const type = types.resolve(ref);
  return type.kind === 'struct' && type.isUnion;
}

/** `task_struct.comm,se.load` into its name and its paths. */
export function memberPaths(text: string): string[] {
  const dot = text.indexOf('.');
  if (dot < 0) return [text];
  const paths = text.slice(dot + 1).split(',');
  if (paths.includes('')) throw new DumpError('usage', `"${text}" names a member without a name`);
  return [text.slice(0, dot), ...paths];
}

/** A struct or union by its tag, or by a typedef. Throws `absent`. */
export function structureNamed(types: TypeTable, name: string): TypeRef {
  for (const word of [`struct ${name}`, `union ${name}`, name]) {
    const ref = types.find(word);
    if (ref !== undefined && types.resolve(ref).kind === 'struct') return ref;
  }
  throw new DumpError('absent', `the kernel has no struct or union "${name}"`, {
    hint: '`whatis NAME` knows enums, typedefs and functions too',
  });
}

/** `[address | symbol][:cpus] [count]`. */
function placesOf(
  kernel: Kernel,
  { types, ref }: Request,
  where: readonly string[],
  options: Options,
  context: Context,
): Place[] {
  const size = BigInt(types.resolve(ref).size);
  const [first = '', last] = where;
  const hasCount = where.length === 2 && /^\d+$/.test(last!) && !/[-+*/(]$/.test(first);
  const { text, cpus } = takeCpus(kernel, context, hasCount ? first : where.join(' '));
  const given = typeof options.count === 'string' ? options.count : hasCount ? last! : '1';
  const count = Number(given);
  if (!Number.isInteger(count) || count === 0 || Math.abs(count) > maxCount) {
    throw new DumpError('usage', `"${given}" is no count from 1 to ${maxCount}`);
  }
  const base = evaluateAddress(kernel, text) - containedAt(kernel, options.contained);
  const start = count < 0 ? base + BigInt(count + 1) * size : base;
  return (cpus ?? [undefined]).flatMap((cpu) => {
    const offset = cpu === undefined ? 0n : kernel.perCpuOffset(cpu);
    return Array.from({ length: Math.abs(count) }, (_, index) => ({
      cpu,
      address: BigInt.asUintN(64, start + offset + BigInt(index) * size),
    }));
  });
}

/** `STRUCT.MEMBER`, or a number of bytes; 0 where nothing was given. */
export function containedAt(kernel: Kernel, given: string | boolean | undefined): bigint {
  if (typeof given !== 'string') return 0n;
  if (/^(0x[0-9a-f]+|\d+)$/i.test(given)) return BigInt(given);
  const [name = '', ...path] = given.split('.');
  if (path.length === 0) {
    throw new DumpError('usage', `"${given}" is neither bytes nor STRUCT.MEMBER`);
  }
  // Not before here: not every kernel has types.
  const { types } = kernel;
  const [asked] = askFor(types, structureNamed(types, name), [path.join('.')]);
  return BigInt(asked!.member.offset);
}

function definition(request: Request, options: Options): Answer {
  const { title, types, ref, asked, radix } = request;
  const withOffsets: Prefix = { kind: 'offset', radix };
  return {
    json: () => ({ ...typeJson(request), objects: [] }),
    *text() {
      if (asked.length === 0) {
        const prefix: Prefix = options.offsets === true ? withOffsets : { kind: 'none' };
        yield* definitionLines(types, ref, prefix, radix);
        return;
      }
      yield `${title} {`;
      for (const { path, member } of asked) yield pathLine(types, ref, path, member, withOffsets);
      yield '}';
    },
    missing: [],
  };
}
