/** What is executed: only recorded bytes, only of this kernel, only from pages that allow it. */

import { describe, expect, test } from 'vitest';
import { type Footprints, parseFootprints } from '../../src/machine/footprints.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { blueprint, finish, prepared } from './stages.ts';
import { flip, u64 } from './support.ts';

const buildId = blueprint.kernel.vmcoreinfo.text('BUILD-ID') ?? '';

/** The way to the crash kernel, as if each stage were the first bytes of its function. */
function recorded(ranges: [number, number][], kernel = buildId): Footprints {
  const stage = (name: string) => ({ stage: name, functions: [{ function: name, ranges }] });
  const own = ['__crash_kexec', 'machine_crash_shutdown', 'nmi_shootdown_cpus', 'lapic_shutdown'];
  const panicking = [...own, 'crash_save_cpu', 'machine_kexec', 'relocate_kernel'].map(stage);
  const other = [{ stage: 'asm_exc_nmi', functions: [{ function: 'crash_nmi_callback', ranges }] }];
  const cpus = [
    { role: 'panicking CPU', stages: panicking },
    { role: 'other CPU', stages: other },
  ] as const;
  return { kernel: { release: '', buildId: kernel }, paths: [{ name: 'crash-kexec', cpus }] };
}

function text(machine: Machine, name: string, offset: bigint): bigint {
  return machine.kernel.symbol(name).address + offset;
}

describe.each(['__crash_kexec', 'nmi_shootdown_cpus', 'crash_save_cpu', 'machine_kexec'])(
  'a changed byte of %s',
  (name) => {
    const at = (offset: bigint, footprints?: Footprints) => {
      const run = prepared('kexec', footprints === undefined ? {} : { footprints });
      flip(run.machine, text(run.machine, name, offset));
      return finish(run).last;
    };

    test('where it was executed is a wild jump', () => {
      const last = at(6n, recorded([[5, 8]]));
      expect(last).toMatchObject({ kind: 'wild jump', object: `${name}+0x6` });
    });

    test('where it never was has no effect', () => {
      expect(at(8n, recorded([[5, 8]]))).toMatchObject({ name: 'reboot', result: 'ok' });
    });

    test('counts wherever it is, with the footprints of another kernel or none', () => {
      const whole = { kind: 'wild jump', object: `${name}+0x8` };
      expect(at(8n, recorded([[5, 8]], 'another'))).toMatchObject(whole);
      expect(at(8n)).toMatchObject(whole);
    });
  },
);

test('a CPU that faults in its NMI handler does not answer, and does not end the dump', () => {
  const sound = finish(prepared('kexec', { footprints: recorded([[5, 8]]) }));
  const run = prepared('kexec', { footprints: recorded([[5, 8]]) });
  flip(run.machine, text(run.machine, 'crash_nmi_callback', 7n));
  const stops: unknown[] = [];
  run.machine.trace = ({ what, cpu, name }) => {
    if (what === 'stop') stops.push({ cpu, name });
  };
  const { stages, last, seconds } = finish(run);
  expect(last).toMatchObject({ name: 'reboot', result: 'ok' });
  const remarks = stages.flatMap((stage) => stage.remarks ?? []).join('\n');
  expect(remarks).toMatch(/CPU \d faulted in its NMI handler: wild jump/);
  expect(remarks).toMatch(/notes at 0x[0-9a-f]+: empty/);
  expect(seconds - sound.seconds).toBeGreaterThan(0.99);
  expect(stops).toEqual([{ cpu: expect.any(Number), name: 'crash_nmi_callback+0x7' }]);
});

test('what the NMI leads through before its handler counts for mkdump as well', () => {
  const run = prepared('mkdump', { footprints: recorded([[5, 8]]) });
  const entry = recorded([[5, 8]]);
  const functions = ['exc_nmi', 'crash_nmi_callback'].map((name) => ({
    ...{ function: name, ranges: [[5, 8]] as const },
  }));
  const other = { role: 'other CPU', stages: [{ stage: 'asm_exc_nmi', functions }] } as const;
  const paths = [{ name: 'crash-kexec', cpus: [other] }];
  const hit = (name: string) => {
    const again = prepared('mkdump', { footprints: { ...entry, paths } });
    flip(again.machine, text(again.machine, name, 6n));
    return finish(again).stages.flatMap(({ remarks }) => remarks ?? []);
  };
  expect(finish(run).last.result).toBe('ok');
  expect(hit('exc_nmi').join()).toContain('faulted in its NMI handler');
  expect(hit('crash_nmi_callback')).toEqual([]);
});

test('text in a page that may not be executed is a nested fault', () => {
  const run = prepared('mkdump');
  const { machine } = run;
  const { resident } = run.state as { resident: { controlPointer: bigint } };
  const { entry, entryAddress } = machine.virtual.translate(resident.controlPointer);
  machine.memory.write(entryAddress, u64(entry | (1n << 63n)));
  expect(finish(run).last).toMatchObject({
    kind: 'nested fault',
    object: 'mkdump_panic',
    cause: expect.stringContaining('may not be executed'),
  });
});

test.each([
  ['no object', null],
  ['no kernel', {}],
  ['no paths', { kernel: { release: '', buildId: '' } }],
  ['a range that ends before it starts', recorded([[8, 5]])],
  ['a range that is no range', recorded([[1] as never])],
  ['a range as long as no function is', recorded([[0, 2 ** 30]])],
])('footprints that are none are refused: %s', (_, json) => {
  expect(() => parseFootprints(json)).toThrow(expect.objectContaining({ code: 'corrupt' }));
});
