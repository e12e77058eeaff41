/** C expressions over the memory of a real dump, their integer rules, and what is no expression. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { typeText } from '../../src/linux/declarations.ts';
import { evaluate, numberOf, type Value } from '../../src/linux/expression/evaluate.ts';
import { evaluateAddress } from '../../src/linux/expression.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { variableTypes } from '../../src/linux/variables.ts';
import { openFixture } from '../support/fixture.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

const value = (text: string): Value => evaluate(kernel, text);
const number = (text: string): bigint => numberOf(kernel, value(text));
const type = (text: string): string => typeText(value(text).type);

function failure(run: () => unknown): DumpError {
  try {
    run();
  } catch (error) {
    if (error instanceof DumpError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

interface Kind {
  readonly name: string;
  readonly bits: number;
  readonly signed: boolean;
}

const kinds: readonly Kind[] = [
  { name: 'signed char', bits: 8, signed: true },
  { name: 'unsigned char', bits: 8, signed: false },
  { name: 'short', bits: 16, signed: true },
  { name: 'unsigned short', bits: 16, signed: false },
  { name: 'int', bits: 32, signed: true },
  { name: 'unsigned int', bits: 32, signed: false },
  { name: 'long', bits: 64, signed: true },
  { name: 'unsigned long', bits: 64, signed: false },
];

/** A model of its own: a number that knows its width and sign. */
interface Model {
  readonly text: string;
  readonly number: bigint;
  readonly bits: number;
  readonly signed: boolean;
}

function wrap(number: bigint, bits: number, signed: boolean): bigint {
  return signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number);
}

/** C11 6.3.1.8 for types of at least 32 bits, 6.3.1.1 for the smaller ones. */
function balanced(left: Model, right: Model): { bits: number; signed: boolean } {
  const bits = Math.max(32, left.bits, right.bits);
  const isUnsigned = [left, right].some((side) => side.bits === bits && !side.signed);
  return { bits, signed: !isUnsigned };
}

const leaf: fc.Arbitrary<Model> = fc
  .tuple(fc.constantFrom(...kinds), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }))
  .map(([{ name, bits, signed }, raw]) => ({
    text: `(${name})0x${raw.toString(16)}`,
    number: wrap(raw, bits, signed),
    bits,
    signed,
  }));

const operations: Readonly<Record<string, (left: bigint, right: bigint) => bigint>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => (right === 0n ? 0n : left / right),
  '%': (left, right) => (right === 0n ? 0n : left % right),
  '&': (left, right) => left & right,
  '|': (left, right) => left | right,
  '^': (left, right) => left ^ right,
};

const comparisons: Readonly<Record<string, (left: bigint, right: bigint) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
};

function combine(left: Model, operator: string, right: Model): Model {
  const { bits, signed } = balanced(left, right);
  const [one, other] = [wrap(left.number, bits, signed), wrap(right.number, bits, signed)];
  const compare = comparisons[operator];
  const divides = operator === '/' || operator === '%';
  // Of what C does not define nothing is asked.
  const text = divides && other === 0n ? '0' : `(${left.text} ${operator} ${right.text})`;
  if (text === '0') return { text, number: 0n, bits: 32, signed: true };
  if (compare !== undefined) {
    return { text, number: compare(one, other) ? 1n : 0n, bits: 32, signed: true };
  }
  return { text, number: wrap(operations[operator]!(one, other), bits, signed), bits, signed };
}

const operators = fc.constantFrom(...Object.keys(operations), ...Object.keys(comparisons));
const expressions: fc.Arbitrary<Model> = fc
  .tuple(leaf, fc.array(fc.tuple(operators, leaf), { maxLength: 6 }))
  .map(([first, rest]) => rest.reduce((left, [sign, right]) => combine(left, sign, right), first));

describe('integers', () => {
  test('any calculation gives what C gives', () => {
    fc.assert(
      fc.property(expressions, (model) => {
        expect([model.text, number(model.text)]).toEqual([model.text, model.number]);
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  test('precedence is that of C', () => {
    expect(number('1 + 2 * 3 - 4 / 2')).toBe(5n);
    expect(number('1 | 2 ^ 3 & 4 == 4')).toBe(3n);
    expect(number('1 << 2 + 1 > 7 && 0 || 1')).toBe(1n);
    expect(number('0 ? 1 : 0 ? 2 : 3')).toBe(3n);
    expect(number('-1 - -1')).toBe(0n);
    expect(number('!0 + ~0')).toBe(0n);
  });

  test('the type of a constant is the first that holds it', () => {
    expect(['1', '2147483648', '0x80000000', '1ul', '0xffffffffffffffff'].map(type)).toEqual(
      ['int', 'long', 'unsigned int', 'unsigned long', 'unsigned long'],
    ); // biome-ignore format: pairs
    expect([type("'a'"), type('sizeof(int)'), type('1 == 1')]).toEqual(
      ['char', 'unsigned long', 'int'],
    ); // biome-ignore format: pairs
    expect(number("'\\n' + '\\x41' + '\\101'")).toBe(140n);
  });

  test('what C leaves open is defined: shifts out, wrapping; a division by zero is refused', () => {
    expect(number('1 << 32')).toBe(0n);
    expect(number('-8 >> 1')).toBe(-4n);
    expect(number('1 >> 200')).toBe(0n);
    expect(number('0x7fffffff + 1')).toBe(-(2n ** 31n));
    expect(failure(() => number('1 / 0')).code).toBe('usage');
    expect(failure(() => number('1 << -1')).code).toBe('usage');
  });
});

describe('kernel memory', () => {
  test('members, pointers and arrays lead where the views lead', () => {
    const init = kernel.variable('init_task');
    expect(number('init_task.pid')).toBe(0n);
    expect(number('init_task.se.load.weight')).toBe(init.se.load.weight);
    expect(number('init_task.tasks.next')).toBe(number('&init_task.tasks.next[0]'));
    expect(number('*(unsigned long *)&init_task.tasks')).toBe(number('init_task.tasks.next'));
    expect(number('init_task.comm[1]')).toBe(119n);
    expect(number('init_task.real_parent->flags')).toBe(BigInt(init.flags));
    expect(number('(&init_task + 1) - &init_task')).toBe(1n);
    expect(number('(unsigned long)(&init_task + 1) - (unsigned long)&init_task')).toBe(
      BigInt(kernel.types.sizeOf('struct task_struct')),
    );
  });

  test('container_of goes from a link to its object and is refused as another function', () => {
    const next = 'container_of(init_task.tasks.next, struct task_struct, tasks)';
    expect(number(`${next}->pid`)).toBe(1n);
    expect(type(next)).toBe('struct task_struct *');
    expect(failure(() => value('panic(1)')).hint).toContain('container_of');
  });

  test('offsetof, sizeof and addresses read no memory', () => {
    expect(number('offsetof(struct task_struct, se.load)')).toBe(128n);
    expect(number('(unsigned long)&((struct task_struct *)0)->comm')).toBe(2976n);
    expect(number('sizeof(((struct task_struct *)0)->comm)')).toBe(16n);
    expect(number('sizeof(struct page *)')).toBe(8n);
  });

  test('bit-fields have their value and no address', () => {
    expect(number('init_task.in_iowait')).toBe(0n);
    expect(failure(() => value('&init_task.in_iowait')).message).toContain('bit-field');
  });

  test('a per-CPU variable is read of its CPU; there is no other CPU', () => {
    for (const cpu of kernel.cpus)
      expect(number(`per_cpu(runqueues, ${cpu}).cpu`)).toBe(BigInt(cpu));
    expect(failure(() => value('per_cpu(runqueues, 99)')).code).toBe('absent');
  });

  test('enumerators are constants of their enum', () => {
    expect(number('ZONE_NORMAL + 1')).toBe(3n);
    expect(type('ZONE_NORMAL')).toBe('enum zone_type');
  });

  test('a variable without a known type has an address, and a hint how to cast it', () => {
    expect(number('*(int *)&panic_print')).toBeTypeOf('bigint');
    const error = failure(() => number('panic_print + 1'));
    expect([error.code, error.hint]).toEqual(['absent', 'cast its address: *(struct T *)&NAME']);
  });

  test('the stated types of variables exist, and views follow them', () => {
    const here = Object.keys(variableTypes).filter((name) => kernel.symbols.lookup(name));
    expect(here.length).toBeGreaterThan(40);
    for (const name of here) {
      expect([name, number(`sizeof(${name})`) > 1n]).toEqual([name, true]);
      expect(() => kernel.variable(name)).not.toThrow();
    }
  });

  test('what is not in the dump is said with its address', () => {
    const error = failure(() => number('((struct task_struct *)0x10)->pid'));
    expect(error.code).toBe('absent');
    expect(error.where.virtual).toBe(0x10n + 2416n);
  });
});

describe('addresses', () => {
  test('hexadecimal with 0x or without, a symbol, an offset, an expression', () => {
    const { address } = kernel.symbol('init_task');
    const hex = address.toString(16);
    expect(evaluateAddress(kernel, hex)).toBe(address);
    expect(evaluateAddress(kernel, `0x${hex}`)).toBe(address);
    expect(evaluateAddress(kernel, `${hex}+16`)).toBe(address + 16n);
    expect(evaluateAddress(kernel, 'init_task')).toBe(address);
    expect(evaluateAddress(kernel, 'init_task+0x10')).toBe(address + 16n);
    expect(evaluateAddress(kernel, 'init_task.tasks')).toBe(address + 2192n);
    expect(evaluateAddress(kernel, '&init_task.tasks')).toBe(address + 2192n);
    expect(evaluateAddress(kernel, 'init_task.real_parent')).toBe(address);
    expect(evaluateAddress(kernel, 'schedule')).toBe(kernel.symbol('schedule').address);
  });

  test('a name that nothing has is absent, half an expression is not understood', () => {
    expect(failure(() => evaluateAddress(kernel, 'no_such_thing')).code).toBe('absent');
    expect(failure(() => evaluateAddress(kernel, 'init_task.')).code).toBe('usage');
    expect(failure(() => evaluateAddress(kernel, '12345678901234567')).code).toBe('usage');
  });
});

describe('what is no expression', () => {
  test.each([
    '',
    '1 +',
    '(1',
    '1)',
    '1 2',
    'a b',
    '1.5',
    '"text"',
    '0b1',
    '12ab',
    '08',
    "'",
    "'ab'",
    '[1]',
    'sizeof',
    'sizeof(',
    '(struct)1',
    '(struct page 1',
    '*',
    '&1',
    '1->pid',
    '1[2]',
    '*1',
    '@',
    '$1',
    'container_of(1, struct page)',
    'offsetof(struct page, 1)',
    '0x10000000000000000',
    '1 ? 2',
    '(struct page)1',
    'init_task + 1',
    '-init_task',
    '*init_task',
    'x'.repeat(5000),
  ])('%s', (text) => {
    // biome-ignore format: one list
    expect(failure(() => number(text)).code).toMatch(/^(?:usage|absent)$/);
  });

  test.each([
    ['parentheses', `${'('.repeat(500)}1${')'.repeat(500)}`],
    ['signs', `${'-'.repeat(500)}1`],
    ['casts', `${'(int)'.repeat(500)}1`],
    ['sums', `1${' + 1'.repeat(500)}`],
    ['members', `init_task${'.real_parent'.repeat(300)}`],
    ['choices', `${'1 ? 1 : '.repeat(500)}1`],
  ])('nested without end: %s', (_, text) => {
    expect(failure(() => number(text)).message).toContain('levels');
  });

  test('words in any order fail by name or have a value: nothing else happens', () => {
    const words = [
      'init_task', '.', '->', 'comm', 'tasks', 'next', '(', ')', '*', '&', '[', ']', '1', '0x10',
      'struct', 'task_struct', 'sizeof', '-', '+', '/', '<<', '?', ':', ',', 'container_of',
      'per_cpu', 'runqueues', 'int', 'char', "'a'", 'ZONE_DMA', '==', '~', 'jiffies', 'offsetof',
    ]; // biome-ignore format: one list
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 12 }), (picked) => {
        try {
          number(picked.join(' '));
        } catch (error) {
          expect(error).toBeInstanceOf(DumpError);
        }
      }),
      { numRuns: 1500, seed: 4 },
    );
  });
});
