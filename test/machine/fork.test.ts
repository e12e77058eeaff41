/** Forks: the same run as on a machine of its own, and nothing of it shows elsewhere. */

import { expect, test } from 'vitest';
import { diskdump } from '../../src/capture/diskdump/method.ts';
import { kexec } from '../../src/capture/kexec/method.ts';
import { type DumpMethod, runStage } from '../../src/capture/method.ts';
import { mkdump } from '../../src/capture/mkdump/method.ts';
import { blueprintOf, withOptions } from '../../src/machine/blueprint.ts';
import { Machine } from '../../src/machine/machine.ts';
import { openFixture } from '../support/fixture.ts';
import { world } from './support.ts';

const dump = await openFixture();
const blueprint = blueprintOf(dump, world);
const optionsOf = ({ generations }: Pick<DumpMethod<unknown>, 'generations'>) => ({
  level: 31,
  compression: 'none' as const,
  generation: generations[0].name,
});

test('a fork sees what was there, and neither side sees what the other writes', () => {
  const parent = Machine.of(blueprint);
  const address = parent.kernel.symbol('linux_banner').address;
  parent.poke(address, Uint8Array.of(1, 2, 3));
  const child = parent.fork();
  expect(child.virtual.read(address, 3)).toEqual(Uint8Array.of(1, 2, 3));
  child.poke(address, Uint8Array.of(4));
  parent.poke(address + 1n, Uint8Array.of(5));
  const grandchild = child.fork();
  child.poke(address + 2n, Uint8Array.of(6));
  expect(parent.virtual.read(address, 3)).toEqual(Uint8Array.of(1, 5, 3));
  expect(child.virtual.read(address, 3)).toEqual(Uint8Array.of(4, 2, 6));
  expect(grandchild.virtual.read(address, 3)).toEqual(Uint8Array.of(4, 2, 3));
});

test('a page that somebody keeps never changes', () => {
  const machine = Machine.of(blueprint);
  const address = machine.kernel.symbol('linux_banner').address;
  machine.poke(address, Uint8Array.of(1));
  const pfn = Number(machine.virtual.translate(address).physical >> 12n);
  const kept = machine.memory.stablePage(pfn).bytes!;
  const before = kept.slice();
  machine.poke(address, Uint8Array.of(2));
  expect(kept).toEqual(before);
  expect(machine.memory.stablePage(pfn).bytes).toBe(machine.memory.stablePage(pfn).bytes);
});

/** Comparing the arrays themselves element by element takes minutes. */
function fingerprint(machine: Machine) {
  const { memory, disk, ...rest } = machine.save();
  const pages = memory.pages.map(([pfn, bytes]) => [pfn, digest(bytes)]);
  const extents = disk.extents.map(([offset, bytes]) => [offset, digest(bytes)]);
  const resident = rest.resident.map(([name, { bytes }]) => [name, digest(bytes)]);
  return { ...rest, resident, disk: { ...disk, extents }, pages };
}

function digest(bytes: Uint8Array): string {
  return Buffer.from(world.sha256(bytes)).toString('hex');
}

test.each<DumpMethod<unknown>>([diskdump, mkdump, kexec])(
  '$name: a fork runs like the machine that it was forked from, many times',
  (method) => {
    const options = optionsOf(method);
    const outcome = (machine: Machine, state: unknown) => {
      const results = method.stages(options).map((stage) => runStage(stage, machine, state, world));
      return { results, machine: fingerprint(machine) };
    };
    const parent = Machine.of(blueprint);
    const state = method.prepare(parent, options);
    const first = outcome(parent.fork(), structuredClone(state));
    const second = outcome(parent.fork(), structuredClone(state));
    expect(second).toEqual(first);
    const restored = Machine.restore(blueprint, structuredClone(parent.save()));
    expect(outcome(restored, structuredClone(state))).toEqual(first);
    expect(outcome(parent, state)).toEqual(first);
  },
);

test('the same image in other hardware is not parsed again', () => {
  const small = withOptions(blueprint, { dumpPartitionBytes: 8192 });
  expect(small.kernel).toBe(blueprint.kernel);
  expect(Machine.of(small).disk.partition('dump').size).toBe(8192);
});

test('what the disk holds of a base page is that page, not a copy of it', () => {
  const machine = Machine.of(blueprint);
  const options = { ...optionsOf(mkdump), level: 0 };
  const state = mkdump.prepare(machine, options);
  for (const stage of mkdump.stages(options)) runStage(stage, machine, state, world);
  const base = new Set<Uint8Array>();
  for (let pfn = 0; pfn < blueprint.input.endPfn; pfn++) {
    const { bytes } = blueprint.input.readPage(pfn);
    if (bytes !== undefined) base.add(bytes);
  }
  const pieces = machine.disk.save().extents.filter(([, bytes]) => base.has(bytes));
  expect(pieces.length).toBeGreaterThan(1000);
});
