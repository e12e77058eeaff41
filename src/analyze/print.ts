/** `print`, `p`: what a C expression is worth, with its type, in gdb's and crash's layout. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress } from '../bytes/text.ts';
import { declaration, typeText } from '../linux/declarations.ts';
import { isPointer, kindOf, targetOf } from '../linux/expression/ctype.ts';
import { evaluate, perCpuValue, type Value, variableType } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Answer, Json, Radix, Run } from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import { takeCpus } from './cpu-list.ts';
import { Inspector, type Shown } from './inspect.ts';
import { radixOf } from './radix.ts';
import { valueJson, valueText } from './value-text.ts';

interface Printed {
  readonly value: Value;
  readonly shown: Shown;
  readonly cpu: number | undefined;
}

/** How many values have been printed of a kernel: gdb numbers them. */
const histories = new WeakMap<Kernel, number>();

export const run: Run = (kernel, words, options, context) => {
  const radix = radixOf(options, context);
  const { text, cpus } = takeCpus(kernel, context, words.join(' '));
  if (text.trim() === '') {
    throw new DumpError('usage', 'print needs an expression', {
      hint: 'p jiffies, p init_task.comm, p ((struct task_struct *)0xffff888003a4c000)->pid',
    });
  }
  if (cpus === undefined && isPerCpu(kernel, text)) return perCpuAddresses(kernel, text);
  const memory =
    options.user === true ? addressSpaceOf(kernel, contextTask(kernel, context)) : kernel.memory;
  const inspector = new Inspector(kernel, memory);
  const values: readonly { readonly value: Value; readonly cpu: number | undefined }[] =
    cpus === undefined
      ? [{ value: evaluate(kernel, text, memory), cpu: undefined }]
      : cpus.map((cpu) => ({ value: perCpuValue(kernel, text, cpu), cpu }));
  const printed = values.map(({ value, cpu }) => {
    refuseUntyped(kernel, value, text);
    return { value, cpu, shown: inspector.value(value) };
  });
  const isSymbol = cpus === undefined && kernel.symbols.lookup(text) !== undefined;
  return {
    json: () => ({ expression: text, values: printed.map(printedJson) }),
    *text() {
      for (const one of printed) {
        const number = (histories.get(kernel) ?? 0) + 1;
        histories.set(kernel, number);
        const name = one.cpu === undefined ? text : `per_cpu(${text}, ${one.cpu})`;
        const before = isSymbol || one.cpu !== undefined ? `${name} = ` : '';
        // gdb begins a new line for what has braces and no members, where a name stands before it.
        const isLong = one.shown.kind === 'function' || one.shown.kind === 'array';
        const gap = before !== '' && isLong ? '\n ' : '';
        yield `${before}$${number} = ${gap}${printedText(kernel, one, radix)}`;
      }
    },
    missing: inspector.missing,
    errors: inspector.errors,
  };
};

function refuseUntyped(kernel: Kernel, value: Value, text: string): void {
  const { base, stars } = value.type;
  if ('number' in value || stars > 0 || kernel.types.strip(base).id !== 0) return;
  throw new DumpError('absent', `the type of "${text}" is not known: BTF has none of variables`, {
    where: { virtual: value.address },
    hint: `cast its address: *(struct T *)&${text}, *(int *)&${text}`,
  });
}

/** gdb names the type of a pointer, but for text and functions inside structs. */
function printedText(kernel: Kernel, { value, shown }: Printed, radix: Radix): string {
  const { types } = kernel;
  const text = valueText(shown, radix, 0);
  if (shown.kind === 'function') {
    const place = kernel.symbols.at(shown.address);
    const name = place === undefined ? '' : ` <${place.symbol.name}>`;
    return `{${typeText(value.type)}} ${text}${name}`;
  }
  if (shown.kind !== 'pointer' || !isPointer(types, value.type)) return text;
  const target = targetOf(types, value.type)!;
  const known = target.stars > 0 ? undefined : types.resolve(target.base);
  const isText = known?.kind === 'int' && known.name === 'char';
  return isText ? text : `(${typeText(value.type)}) ${text}`;
}

function printedJson({ value, shown, cpu }: Printed): Json {
  return {
    cpu: cpu ?? null,
    type: typeText(value.type),
    address: 'address' in value ? jsonAddress(value.address) : null,
    value: valueJson(shown),
  };
}

/** A per-CPU variable without a CPU has no value: only addresses. */
function isPerCpu(kernel: Kernel, text: string): boolean {
  const [start, end] = ['__per_cpu_start', '__per_cpu_end'].map(
    (name) => kernel.symbols.inKernel(name)?.address,
  );
  const address = kernel.symbols.lookup(text)?.address;
  if (address === undefined || start === undefined || end === undefined) return false;
  return address >= start && address < end;
}

function perCpuAddresses(kernel: Kernel, name: string): Answer {
  const type = variableType(kernel, name);
  const known = type !== undefined && kindOf(kernel.types, type) !== 'opaque';
  const text = known ? typeText(type) : 'void';
  const declared = known && type.stars === 0 ? declaration(type.base, name) : `${text} ${name}`;
  const places = kernel.cpus.map((cpu) => ({ cpu, address: kernel.perCpu(name, cpu) }));
  return {
    json: () => ({
      expression: name,
      values: places.map(({ cpu, address }) => ({
        ...{ cpu, type: text, address: jsonAddress(address), value: null },
      })),
    }),
    *text() {
      yield 'PER-CPU DATA TYPE:';
      yield `  ${declared};`;
      yield 'PER-CPU ADDRESSES:';
      for (const { cpu, address } of places) yield `  [${cpu}]: ${hex16(address)}`;
    },
    missing: [],
  };
}
