/**
 * Damaged pointers and damaged tables: what a method follows is read from the memory as it is, and
 * what it writes through a damaged pointer is damage, which the judge does not excuse.
 */

import { describe, expect, test } from 'vitest';
import type { KexecState } from '../../src/capture/kexec/state.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { OwnWrites } from '../../src/machine/own-writes.ts';
import type { CaptureRun } from '../../src/trial/run.ts';
import { openFixture } from '../support/fixture.ts';
import { capture, type Damage, flip, u64 } from './support.ts';

const dump = await openFixture();
const first = 'panic entry';

function symbol(machine: Machine, name: string): bigint {
  return machine.kernel.symbol(name).address;
}

/** A page of kernel data that no method has any business in. */
function victim(machine: Machine): bigint {
  return symbol(machine, 'linux_banner') & ~0xfffn;
}

async function outcome(method: string, damage: Damage) {
  const { report } = await capture({ dump, method, level: 31, compression: 'none' }, damage);
  const { verdict, failed, ownWrites } = report;
  return {
    class: verdict.class,
    different: verdict.pages?.different,
    stage: failed?.name,
    kind: failed?.kind,
    astray: ownWrites.filter(({ what }) => what.includes('astray')).length,
  };
}

describe('kexec', () => {
  test('a damaged list of pages to move overwrites memory, and that is found', async () => {
    const damage = (machine: Machine, run: CaptureRun) => {
      const { image, control, crash } = run.save().state as KexecState;
      // In the region's free memory: destination, source, end.
      const list = BigInt(crash.region.end - 16384);
      machine.memory.write(list, u64(machine.virtual.translate(victim(machine)).physical | 1n));
      machine.memory.write(list + 8n, u64(BigInt(control.topTable) | 8n));
      machine.memory.write(list + 16n, u64(4n));
      const head = BigInt(machine.kernel.types.offsetOf('struct kimage', 'head'));
      machine.poke(image + head, u64(list | 2n));
    };
    const list = await outcome('kexec', { machine_kexec: damage });
    expect(list).toMatchObject({ class: 'inaccurate', stage: undefined });
    expect(list.different).toBeGreaterThan(0);
  });

  test('a wild vmcoreinfo_note loses the note; what was written instead counts', async () => {
    const damage = (machine: Machine) =>
      machine.poke(symbol(machine, 'vmcoreinfo_note'), u64(symbol(machine, 'init_task')));
    const found = await outcome('kexec', { [first]: damage });
    expect(found.class).not.toBe('complete');
    expect(found.astray).toBeGreaterThan(0);
  });

  test('a direct map that starts elsewhere is followed: nothing is known before', async () => {
    const damage = (machine: Machine) =>
      machine.poke(symbol(machine, 'page_offset_base'), u64(0xffff_9999_0000_0000n));
    expect(await outcome('kexec', { 'crash image': damage })).toMatchObject({ class: 'none' });
  });

  test('struct pages that start elsewhere lead to no control page', async () => {
    const damage = (machine: Machine) => flip(machine, symbol(machine, 'vmemmap_base') + 3n);
    expect(await outcome('kexec', { 'crash image': damage })).toMatchObject({ class: 'none' });
  });

  test.each([
    ['SYMBOL(init_top_pgt)=ffffffff', 'SYMBOL(init_top_pgt)=ffff0fff'],
    ['NUMBER(phys_base)=', 'NUMBER(phys_bose)='],
    ['OFFSET(page.flags)=0', 'OFFSET(page.flags)=9'],
  ])('what makedumpfile is told counts, not what was true: %s', async (from, to) => {
    const damage = (machine: Machine) => {
      const text = machine.virtual.u64(symbol(machine, 'vmcoreinfo_data_safecopy'));
      const bytes = Buffer.from(machine.virtual.read(text, 4096));
      const at = bytes.indexOf(from);
      expect(at).toBeGreaterThan(0);
      machine.poke(text + BigInt(at), new Uint8Array(Buffer.from(to)));
    };
    expect((await outcome('kexec', { [first]: damage })).class).not.toBe('complete');
  });
});

describe('mkdump', () => {
  test('a message written elsewhere is a difference, and not excused', async () => {
    const damage = (machine: Machine, run: CaptureRun) => {
      const { resident } = run.save().state as { resident: { controlPointer: bigint } };
      const control = machine.virtual.u64(resident.controlPointer);
      machine.poke(control + 24n, u64(symbol(machine, 'init_task') & ~0xfffn));
    };
    const found = await outcome('mkdump', { [first]: damage });
    expect(found).toMatchObject({ class: 'inaccurate', astray: 1 });
    expect(found.different).toBeGreaterThan(0);
  });
});

test('own writes of a saved machine are those of the resumed one', () => {
  const writes = new OwnWrites(4096);
  writes.declare([{ start: 0, end: 64 }]);
  writes.add('lock', 8, 4);
  writes.add('lock', 100, 4);
  const resumed = new OwnWrites(4096, writes.places, writes.list);
  expect(resumed.list).toEqual(writes.list);
  expect(resumed.of(0)).toEqual(writes.of(0));
});
