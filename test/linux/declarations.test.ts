/** C declarations and layouts of types, sound and damaged. */

import { expect, test } from 'vitest';
import { memberLines } from '../../src/analyze/layout.ts';
import { Btf } from '../../src/linux/btf.ts';
import { declaration } from '../../src/linux/declarations.ts';
import { TypeTable } from '../../src/linux/types.ts';
import { BtfWriter } from '../support/btf.ts';

function read(writer: BtfWriter): { btf: Btf; types: TypeTable } {
  const btf = new Btf('test', writer.bytes());
  return { btf, types: new TypeTable(btf, () => []) };
}

test('declarators are written around the name, as C reads them', () => {
  const writer = new BtfWriter();
  const int = writer.int('int', 4, { signed: true });
  const long = writer.int('long unsigned int', 8, {});
  const char = writer.int('char', 1, {});
  const text = writer.pointer(writer.const(char));
  const handler = writer.functionPrototype(int, [text, 0]);
  const shown: readonly (readonly [number, string])[] = [
    [long, 'unsigned long x'],
    [text, 'const char *x'],
    [writer.const(text), 'const char * const x'],
    [writer.pointer(writer.const(text)), 'const char * const *x'],
    [writer.array(writer.array(int, 3), 2), 'int x[2][3]'],
    [writer.pointer(writer.array(char, 16)), 'char (*x)[16]'],
    [writer.array(writer.pointer(char), 16), 'char *x[16]'],
    [writer.pointer(handler), 'int (*x)(const char *, ...)'],
    [writer.array(writer.pointer(handler), 4), 'int (*x[4])(const char *, ...)'],
    [writer.pointer(writer.functionPrototype(writer.pointer(0), [])), 'void *(*x)(void)'],
    [
      writer.pointer(writer.functionPrototype(writer.pointer(handler), [int])),
      'int (*(*x)(int))(const char *, ...)',
    ],
  ];
  const { btf } = read(writer);
  for (const [id, text] of shown) expect(declaration({ btf, id }, 'x')).toBe(text);
  expect(declaration({ btf, id: shown[5]![0] }, '')).toBe('char (*)[16]');
});

test('bit-fields, unions without a name and a last array of no length', () => {
  const writer = new BtfWriter();
  const int = writer.int('unsigned int', 4, {});
  const inner = writer.union('', 4, [
    { name: 'a', type: int, bitOffset: 0 },
    { name: 'b', type: int, bitOffset: 0 },
  ]);
  const id = writer.struct('thing', 12, [
    { name: 'few', type: int, bitOffset: 0, bitSize: 3 },
    { name: '', type: inner, bitOffset: 32, bitSize: 0 },
    { name: 'named', type: inner, bitOffset: 64, bitSize: 0 },
    { name: 'rest', type: writer.array(int, 0), bitOffset: 96, bitSize: 0 },
  ]);
  const { btf, types } = read(writer);
  const lines = [...memberLines(types, { btf, id }, { kind: 'offset', radix: 'decimal' })];
  expect(lines).toEqual([
    '   [0] unsigned int few : 3;',
    '       union {',
    '   [4]     unsigned int a;',
    '   [4]     unsigned int b;',
    '       };',
    '       union {',
    '   [8]     unsigned int a;',
    '   [8]     unsigned int b;',
    '   [8] } named;',
    '  [12] unsigned int rest[];',
  ]);
});

test('damage: a pointer to itself, and functions that take themselves, end', () => {
  const pointer = new BtfWriter();
  const self = pointer.pointer(1);
  expect(declaration({ btf: read(pointer).btf, id: self }, 'x').length).toBeLessThan(500);
  const taker = new BtfWriter();
  const prototype = taker.functionPrototype(0, [2, 2, 2, 2]);
  taker.pointer(prototype);
  expect(declaration({ btf: read(taker).btf, id: prototype }, 'x')).toContain('...');
});

test('damage: structs without a name that contain themselves are refused, not followed', () => {
  const writer = new BtfWriter();
  const id = writer.struct('', 8, [
    { name: '', type: 1, bitOffset: 0 },
    { name: '', type: 1, bitOffset: 0 },
  ]);
  const { btf, types } = read(writer);
  const lines = (): string[] => [...memberLines(types, { btf, id }, { kind: 'none' })];
  expect(lines).toThrow('more than 100000 lines');
});
