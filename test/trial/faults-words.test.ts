/** Faults as words and as data: what is read, what is written back, what is refused and how. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import {
  checkFault,
  defaultOf,
  faultSyntax,
  faultText,
  isRequired,
  parseFault,
} from '../../src/trial/faults/fault.ts';
import type { FaultKind, Parameter } from '../../src/trial/faults/kind.ts';
import { faultKinds } from '../../src/trial/faults/kinds.ts';
import { Random } from '../../src/trial/faults/random.ts';
import { numbered } from '../../src/trial/faults/strike.ts';

function arbitraryOf(parameter: Parameter): fc.Arbitrary<string | number> {
  switch (parameter.type) {
    case 'number':
      return fc.integer({ min: parameter.min, max: parameter.max });
    case 'choice':
      return fc.constantFrom(...parameter.choices);
    case 'text':
      return fc.constantFrom('0xffffffff81000000', 'jiffies_64', 'init_task+0x10', 'x.isra.0+8');
  }
}

/** A kind with some of its parameters, those that go together. */
const given = fc.constantFrom(...faultKinds).chain((kind) =>
  fc
    .record(Object.fromEntries(kind.parameters.map((one) => [one.name, arbitraryOf(one)])), {
      requiredKeys: kind.parameters.filter(isRequired).map(({ name }) => name),
    })
    .filter((record) =>
      (kind.apart ?? []).every(([a, b]) => record[a] === undefined || record[b] === undefined),
    )
    .map((record) => ({ kind, record })),
);

function wordsOf(kind: FaultKind, record: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(record).map(([key, value]) => `${key}=${value}`);
  return words.length === 0 ? kind.name : `${kind.name}:${words.join(',')}`;
}

test('what is read is written back to words that read the same', () => {
  fc.assert(
    fc.property(given, ({ kind, record }) => {
      const fault = parseFault(wordsOf(kind, record));
      expect(fault.kind).toBe(kind.name);
      expect(fault.parameters).toMatchObject(record);
      expect(parseFault(faultText(fault))).toEqual(fault);
    }),
  );
});

test('words of a command line and data of a file give the same fault', () => {
  fc.assert(
    fc.property(given, ({ kind, record }) => {
      const fault = parseFault(wordsOf(kind, record));
      expect(checkFault(kind.name, record, 'data')).toEqual({ value: fault });
    }),
  );
});

test('no text makes it fail other than by usage', () => {
  const text = fc.oneof(
    fc.string(),
    fc.tuple(given, fc.string(), fc.nat(60)).map(([{ kind, record }, insert, at]) => {
      const words = wordsOf(kind, record);
      return words.slice(0, at) + insert + words.slice(at);
    }),
  );
  fc.assert(
    fc.property(text, (words) => {
      try {
        expect(parseFault(faultText(parseFault(words)))).toEqual(parseFault(words));
      } catch (error) {
        expect(error).toBeInstanceOf(DumpError);
        expect(error).toMatchObject({ code: 'usage' });
      }
    }),
  );
});

test('defaults are filled in, and are not repeated in words', () => {
  const fault = parseFault('disk-hung:until=reset');
  expect(fault).toEqual(parseFault('disk-hung'));
  expect(faultText(fault)).toBe('disk-hung');
  expect(parseFault('memory:by=dma').parameters).toMatchObject({ writes: 1, bytes: 8 });
});

test('numbers may be hexadecimal', () => {
  expect(parseFault('memory:by=cpu,bytes=0x40').parameters['bytes']).toBe(64);
});

describe('what is wrong is named, with what is allowed', () => {
  test.each([
    ['memry:by=cpu', 'there is no fault "memry" (did you mean memory?)', 'one of memory, disk-'],
    ['memory', 'memory.by: is missing', 'one of cpu, dma, memory-error'],
    ['memory:by=cpux', 'memory.by: unknown "cpux" (did you mean cpu?)', 'one of cpu, dma'],
    [
      'memory:by=dma,regoin=slab',
      'memory.regoin: there is no such parameter (did you',
      'one of by',
    ],
    ['memory:by=dma,writes=0', 'memory.writes: 0 is out of range', '1 to 1000'],
    ['memory:by=dma,writes=x', 'memory.writes: "x" is no whole number', '1 to 1000'],
    ['memory:by=dma,writes=1.5', '"1.5" is no whole number', '1 to 1000'],
    ['memory:by=dma,by=cpu', 'memory.by: given twice', ''],
    ['memory:by=dma,at=-1', '"-1" is no ADDRESS', 'symbol, symbol+offset or 0x...'],
    ['memory:by=dma,at=x,region=slab', 'at and region do not go together', ''],
    ['memory:by=dma,slab', '"slab" is not key=value', ''],
    ['nmi-broken:cpu=1', 'nmi-broken.cpu: there is no such parameter', 'none: it takes no'],
    ['nmi-broken:__proto__=1', 'nmi-broken.__proto__: there is no such parameter', 'none'],
    ['', 'there is no fault ""', 'one of memory'],
  ])('%s', (words, message, hint) => {
    let thrown: unknown;
    try {
      parseFault(words);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DumpError);
    const { code, message: said, hint: hinted } = thrown as DumpError;
    expect(code).toBe('usage');
    expect(said).toContain(message);
    expect(hinted).toContain(hint);
  });

  test('an address in a file that was not put in quotes is refused, not rounded', () => {
    const checked = checkFault('memory', { by: 'cpu', at: 0xffffffff81000000 }, 'data');
    expect(checked).toMatchObject({ problems: [{ path: 'memory.at' }] });
    expect(JSON.stringify(checked)).toContain('write it in quotes');
  });
});

describe('every kind', () => {
  test.each(faultKinds.map((kind) => [kind.name, kind] as const))('%s', (name, kind) => {
    expect(parseFault(kind.example).kind).toBe(name);
    expect(kind.summary).toMatch(/^[a-z].*[^.]$/);
    expect(faultSyntax(kind).startsWith(name)).toBe(true);
    for (const parameter of kind.parameters) {
      expect(parameter.meaning).not.toBe('');
      const value = defaultOf(parameter);
      if (value === undefined) continue;
      const words = wordsOf(kind, { [parameter.name]: value });
      const required = kind.parameters.filter(isRequired).length;
      if (required === 0) expect(faultText(parseFault(words))).toBe(name);
    }
    expect(kind.configure !== undefined || kind.strike !== undefined).toBe(true);
  });

  test('has a name of its own', () => {
    expect(new Set(faultKinds.map(({ name }) => name)).size).toBe(faultKinds.length);
  });
});

describe('chance', () => {
  const draws = (seed: number, index: number, kind: string): number[] => {
    const random = new Random(seed, index, kind);
    return Array.from({ length: 8 }, () => random.below(2 ** 40));
  };

  test('same seed, number and kind: same draws; any other: other draws', () => {
    expect(draws(1, 0, 'memory')).toEqual(draws(1, 0, 'memory'));
    const others = [draws(1, 0, 'memory'), draws(2, 0, 'memory'), draws(1, 1, 'memory')];
    expect(new Set([...others, draws(1, 0, 'disk-busy')].map(String)).size).toBe(4);
  });

  test('near seeds draw from everywhere', () => {
    const firsts = Array.from({ length: 4000 }, (_, seed) =>
      new Random(seed, 0, 'memory').below(8),
    );
    for (let value = 0; value < 8; value++) {
      const share = firsts.filter((first) => first === value).length / firsts.length;
      expect(share).toBeGreaterThan(0.1);
      expect(share).toBeLessThan(0.15);
    }
  });

  test('bytes take every value at every place', () => {
    const random = new Random(1, 0, 'memory');
    const seen = Array.from({ length: 7 }, () => new Set<number>());
    for (let count = 0; count < 4000; count++) {
      for (const [at, byte] of random.bytes(7).entries()) seen[at]!.add(byte);
    }
    for (const values of seen) expect(values.size).toBe(256);
  });

  test('draws are below their limit', () => {
    const random = new Random(3, 0, 'x');
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 64n }), fc.integer({ min: 1 }), (big, small) => {
        expect(random.bigBelow(big)).toBeLessThan(big);
        expect(random.below(small)).toBeLessThan(small);
      }),
    );
  });

  test('a fault keeps its number when others are left out', () => {
    const faults = numbered([parseFault('disk-busy'), parseFault('cpu-dead')]);
    expect(faults.filter(({ kind }) => kind === 'cpu-dead')).toMatchObject([{ index: 1 }]);
  });
});
