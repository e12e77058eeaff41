/**
 * Dumps whose VMCOREINFO is taken away, the note in the file and every copy in memory: what is
 * found by structure must be what the note said.
 */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { latin1 } from '../../src/bytes/text.ts';
import type { Dump } from '../../src/dump/types.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { dumpLike, dumpPath, openFile, withPages } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { openPanic } from '../support/machines.ts';

/** Neither note nor copy; without the registers of CPUs that would lead to the page tables. */
function stripped(dump: Dump): Dump {
  const inMemory = withPages(dump, (_, bytes) => {
    if (!/^(OSRELEASE=|.{12}VMCOREINFO\0)/s.test(latin1(bytes.subarray(0, 23)))) return bytes;
    return new Uint8Array(bytes.length).fill(0x5a);
  });
  return dumpLike(inMemory, { vmcoreinfo: undefined, cpus: [] });
}

function tasksOf(kernel: Kernel): unknown[] {
  const list = kernel.tasks();
  const tasks = [...list].map((task) => [addressOf(task), task.pid, task.comm]);
  expect(list.complete).toBe(true);
  return tasks;
}

const dumps: readonly (readonly [string, () => Promise<Dump | undefined>])[] = [
  ['sysrq.kdump', () => openFile(dumpPath('sysrq.kdump'))],
  ['linux-6.12.kdump (5 levels)', () => openFile(dumpPath('linux-6.12.kdump'))],
  ['linux-6.1-crash-kernel.kdump', () => openFile(dumpPath('linux-6.1-crash-kernel.kdump'))],
  ['linux-5.10.kdump', () => openFile(dumpPath('linux-5.10.kdump'))],
  ['a panic image of the default machine', () => openPanic('null-process')],
  ...['null.kdump', 'kdump-real.vmcore'].map(
    (name) =>
      [
        name,
        async () => {
          const path = findImage(name);
          return path === undefined ? undefined : await openFile(path);
        },
      ] as const,
  ),
];

describe('without VMCOREINFO', () => {
  test.each(dumps)('%s: the same page tables, symbols, tasks and log', async (_, open) => {
    const dump = await open();
    if (dump === undefined) return;
    const whole = openKernel(dump);
    const found = openKernel(stripped(dump));
    expect(found.vmcoreinfoOrigin).toBe('rebuilt');
    expect(found.memory.root).toEqual(whole.memory.root);
    for (const fact of ['physBase', 'release', 'kernelOffset'] as const) {
      expect(found.vmcoreinfo[fact]).toBe(whole.vmcoreinfo[fact]);
    }
    expect([...found.symbols.all()]).toEqual([...whole.symbols.all()]);
    expect(tasksOf(found)).toEqual(tasksOf(whole));
    expect(readLog(found)).toEqual(readLog(whole));
    dump.close();
  });

  test('the registers of a CPU lead there at once: hardly a page is read', async () => {
    const dump = await openFile(dumpPath('sysrq.kdump'));
    expect(dump.cpus.some(({ control }) => control !== undefined)).toBe(true);
    const read = new Set<number>();
    const counted = dumpLike(dump, {
      vmcoreinfo: undefined,
      readPage(pfn) {
        read.add(pfn);
        return dump.readPage(pfn);
      },
    });
    const kernel = openKernel(counted);
    // The text itself is there: kallsyms tells where.
    expect(kernel.vmcoreinfo.source).toBe(dump.vmcoreinfo);
    const text = Number(kernel.memory.translate(kernel.symbol('_text').address).physical >> 12n);
    const end = Number(kernel.memory.translate(kernel.symbol('_end').address).physical >> 12n);
    expect([...read].filter((pfn) => pfn < text || pfn > end).length).toBeLessThan(10);
    dump.close();
  });

  test('a copy in memory of another boot is not believed', async () => {
    const dump = await openFile(dumpPath('sysrq.kdump'));
    const stale = withPages(stripped(dump), (_, bytes) => {
      if (!bytes.every((byte) => byte === 0x5a)) return bytes;
      const page = new Uint8Array(bytes.length);
      page.set(new TextEncoder().encode(dump.vmcoreinfo!.replace(/OSRELEASE=.*/, 'OSRELEASE=1.2')));
      return page;
    });
    const kernel = openKernel(dumpLike(stale, { vmcoreinfo: undefined, cpus: [] }));
    expect(kernel.vmcoreinfo.release).toBe('6.1.0-56-cloud-amd64');
    dump.close();
  });

  test('memory in which there is no kernel is absent, with what to do', async () => {
    const dump = await openFile(dumpPath('linux-4.15.kdump'));
    const noise = withPages(dump, (pfn, bytes) => bytes.map((_, at) => (at * 31 + pfn) & 0xff));
    expect(() => openKernel(dumpLike(noise, { vmcoreinfo: undefined, cpus: [] }))).toThrow(
      expect.objectContaining({ code: 'absent', hint: expect.stringContaining('vmcoreinfo') }),
    );
    expect(() => openKernel(dumpLike(noise, { vmcoreinfo: undefined }))).toThrow(DumpError);
    dump.close();
  });
});
