import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { Btf } from '../../src/linux/btf.ts';
import { walkList } from '../../src/linux/lists.ts';
import {
  addressOf,
  hasMember,
  memberAddress,
  type ObjectMemory,
  readValue,
  typeOf,
  viewObject,
} from '../../src/linux/objects.ts';
import { TypeTable } from '../../src/linux/types.ts';
import { BtfWriter } from '../support/btf.ts';
import { addressSpaceWith } from '../support/memory.ts';

function writeTypes(): BtfWriter {
  const btf = new BtfWriter();
  const int = btf.int('int', 4, { signed: true });
  const u64 = btf.int('long unsigned int', 8, {});
  const char = btf.int('char', 1, { signed: true });
  const bool = btf.int('_Bool', 1, { bool: true });
  const pid = btf.const(btf.typedef('pid_t', int));
  const comm = btf.array(char, 16);
  const link = btf.struct('list_head', 16, [
    { name: 'next', type: btf.endId + 1, bitOffset: 0 },
    { name: 'prev', type: btf.endId + 1, bitOffset: 64 },
  ]);
  btf.pointer(link);
  const inner = btf.union('', 8, [
    { name: 'flags', type: u64, bitOffset: 0 },
    { name: 'low', type: int, bitOffset: 0 },
  ]);
  const rlimits = btf.array(u64, 4);
  const self = btf.pointer(btf.endId + 2);
  const state = btf.enum('state', { RUNNING: 0, DEAD: 0x80 });
  btf.struct('task', 136, [
    { name: 'pid', type: pid, bitOffset: 0 },
    { name: 'on_cpu', type: bool, bitOffset: 32 },
    { name: 'early', type: int, bitOffset: 40, bitSize: 1 },
    { name: 'level', type: int, bitOffset: 41, bitSize: 3 },
    { name: '', type: inner, bitOffset: 64 },
    { name: 'comm', type: comm, bitOffset: 128 },
    { name: 'tasks', type: link, bitOffset: 256 },
    { name: 'parent', type: self, bitOffset: 384 },
    { name: 'limits', type: rlimits, bitOffset: 448 },
    { name: 'state', type: state, bitOffset: 704 },
  ]);
  return btf;
}

function types(): TypeTable {
  return new TypeTable(new Btf('vmlinux', writeTypes().bytes()), () => []);
}

const start = 0xffff_8880_0000_1000n;

function taskBytes(): Uint8Array {
  const bytes = new Uint8Array(136);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, -7, true);
  view.setUint8(4, 1);
  view.setUint8(5, 0b0000_1101);
  view.setBigUint64(8, 0x1_0000_0002n, true);
  bytes.set(new TextEncoder().encode('swapper/0'), 16);
  view.setBigUint64(32, start + 32n, true);
  view.setBigUint64(56 + 8, 42n, true);
  view.setUint32(88, 0x80, true);
  return bytes;
}

function memory(): ObjectMemory {
  return { memory: addressSpaceWith(start, taskBytes()), types: types() };
}

describe('BTF types', () => {
  test('members of anonymous unions and paths through arrays have offsets', () => {
    const table = types();
    expect(table.offsetOf('struct task', 'low')).toBe(8);
    expect(table.offsetOf('struct task', 'tasks.prev')).toBe(40);
    expect(table.offsetOf('struct task', 'limits[2]')).toBe(72);
    expect(table.sizeOf('pid_t')).toBe(4);
    expect(table.hasMember('struct task', 'tasks.sideways')).toBe(false);
    expect(table.hasMember('struct no_such', 'x')).toBe(false);
  });

  test('base types are found by every name that C allows', () => {
    expect(types().sizeOf('unsigned long')).toBe(8);
    expect(types().find('long')).toBeUndefined();
  });

  test('enumerators have their values', () => {
    expect(types().enumerators('enum state').get('DEAD')).toBe(0x80n);
  });

  test('split BTF of a module reaches types and strings of vmlinux', () => {
    const base = writeTypes();
    const vmlinux = new Btf('vmlinux', base.bytes());
    const split = new BtfWriter({ endId: base.endId, stringLength: base.stringLength });
    const pid = vmlinux.named('pid_t')[0]!;
    split.struct('module_thing', 8, [{ name: 'owner', type: pid, bitOffset: 32 }]);
    const module = new Btf('thing', split.bytes(), vmlinux);
    const table = new TypeTable(vmlinux, () => [module]);
    expect(table.offsetOf('struct module_thing', 'owner')).toBe(4);
    expect(table.nameOf(table.member('struct module_thing', 'owner').type)).toBe('pid_t');
  });

  test('damaged BTF is corrupt or readable, never another error and never endless', () => {
    const whole = writeTypes().bytes();
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(damage, fc.nat(whole.length), (hits, length) => {
        const bytes = whole.slice(0, length % 4 === 0 ? whole.length : length);
        for (const [at, value] of hits) bytes[at % bytes.length] = value;
        try {
          const table = new TypeTable(new Btf('damaged', bytes), () => []);
          for (const name of ['struct task', 'struct list_head', 'pid_t', 'enum state']) {
            if (table.find(name) === undefined) continue;
            table.sizeOf(name);
            table.nameOf(table.get(name));
            table.hasMember(name, 'tasks.next');
          }
        } catch (error) {
          expect(error).toBeInstanceOf(DumpError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test('anonymous members that nest in themselves end, with the members that there are', () => {
  const btf = new BtfWriter();
  const int = btf.int('int', 4, { signed: true });
  const self = btf.endId;
  const nested = [0, 32, 64].map((bitOffset) => ({ name: '', type: self, bitOffset }));
  btf.struct('loop', 16, [...nested, { name: 'value', type: int, bitOffset: 96 }]);
  const table = new TypeTable(new Btf('vmlinux', btf.bytes()), () => []);
  expect([...table.structure('struct loop').members.keys()]).toEqual(['value']);
});

test('views of const and of nameless types know their members, _Bool bits are booleans', () => {
  const btf = new BtfWriter();
  const bool = btf.int('_Bool', 1, { bool: true });
  const inner = btf.struct('', 1, [{ name: 'on', type: bool, bitOffset: 1, bitSize: 1 }]);
  const pointer = btf.pointer(btf.const(inner));
  btf.struct('outer', 16, [
    { name: 'inner', type: inner, bitOffset: 0 },
    { name: 'next', type: pointer, bitOffset: 64 },
  ]);
  const bytes = new Uint8Array(16);
  bytes[0] = 0b10;
  new DataView(bytes.buffer).setBigUint64(8, start, true);
  const table = new TypeTable(new Btf('vmlinux', btf.bytes()), () => []);
  const space = addressSpaceWith(start, bytes);
  const outer = viewObject({ memory: space, types: table }, 'struct outer', start);
  for (const view of [outer.inner, outer.next]) {
    expect(view.on).toBe(true);
    expect(memberAddress(view, 'on')).toBe(start);
    expect(hasMember(view, 'off')).toBe(false);
  }
});

describe('views of kernel objects', () => {
  test('a C type decides what a member is in JavaScript', () => {
    const task = viewObject(memory(), 'struct task', start);
    expect(task.pid).toBe(-7);
    expect(task.on_cpu).toBe(true);
    expect(task.flags).toBe(0x1_0000_0002n);
    expect(task.low).toBe(2);
    expect(task.comm).toBe('swapper/0');
    expect(task.state).toBe(0x80);
    expect(task.parent).toBeNull();
    expect([...task.limits]).toEqual([0n, 42n, 0n, 0n]);
    expect(task.limits.length).toBe(4);
  });

  test('bit-fields are cut out of their byte, signed ones with their sign', () => {
    const task = viewObject(memory(), 'struct task', start);
    expect(task.early).toBe(-1);
    expect(task.level).toBe(-2);
  });

  test('an embedded struct is a view with its own address, a pointer leads to another', () => {
    const task = viewObject(memory(), 'struct task', start);
    expect(addressOf(task.tasks)).toBe(start + 32n);
    expect(typeOf(task.tasks)).toBe('struct list_head');
    expect(addressOf(task.tasks.next)).toBe(start + 32n);
    expect(memberAddress(task, 'tasks.prev')).toBe(start + 40n);
    expect(hasMember(task, '__state')).toBe(false);
  });

  test('a member that the type does not have is absent, and is named', () => {
    const task = viewObject(memory(), 'struct task', start);
    expect(() => task.thread_pid).toThrow(/"struct task" has no member "thread_pid"/);
    expect(() => task.limits[4]).toThrow(/index 4/);
  });

  test('making a view reads nothing: only touching a member does', () => {
    const far = viewObject(memory(), 'struct task', 0xdead_0000n);
    expect(addressOf(far)).toBe(0xdead_0000n);
    expect(() => far.pid).toThrow(DumpError);
  });

  test('a value without a layout is refused', () => {
    const table = types();
    const void_ = { btf: table.get('pid_t').btf, id: 0 };
    expect(() => readValue(memory(), void_, start)).toThrow(/cannot be read/);
  });
});

describe('lists', () => {
  const kernelWith = (links: bigint[]) => {
    const bytes = new Uint8Array(4096);
    const view = new DataView(bytes.buffer);
    for (const [index, next] of links.entries()) view.setBigUint64(index * 16, next, true);
    const space = addressSpaceWith(start, bytes);
    const table = types();
    return {
      memory: space,
      object: (type: string, address: bigint) =>
        viewObject({ memory: space, types: table }, type, address),
    };
  };
  const link = (index: number): bigint => start + BigInt(index * 16);

  test('an empty list has no objects, a whole one all of them in order', () => {
    const empty = walkList(kernelWith([link(0)]), link(0), 'struct task', 'tasks', 10);
    expect(empty).toEqual({ objects: [], problem: undefined });
    const three = kernelWith([link(2), link(0), link(1)]);
    const walk = walkList(three, link(0), 'struct task', 'tasks', 10);
    expect(walk.problem).toBeUndefined();
    expect(walk.objects.map((task) => addressOf(task) + 32n)).toEqual([link(2), link(1)]);
  });

  test('a circle that misses the head, a wild link and a list too long end with a reason', () => {
    const circle = walkList(
      kernelWith([link(1), link(2), link(1)]),
      link(0),
      'struct task',
      'tasks',
      10,
    );
    expect(circle.objects).toHaveLength(2);
    expect(circle.problem?.code).toBe('corrupt');
    const wild = walkList(kernelWith([link(1), 0xdead_0000n]), link(0), 'struct task', 'tasks', 10);
    expect(wild.objects).toHaveLength(1);
    expect(wild.problem?.code).toBe('absent');
    const long = kernelWith([link(1), link(2), link(3), link(0)]);
    expect(walkList(long, link(0), 'struct task', 'tasks', 2).problem?.code).toBe('corrupt');
  });
});
