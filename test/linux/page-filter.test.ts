/**
 * Which pages of real dumps a level leaves out: page by page as makedumpfile 1.7.2 does it, and as
 * the kernel itself has counted them.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../bench/peers.mjs';
import { pageStatistics } from '../../fixtures/build/vm-statistics.ts';
import { Bitmap } from '../../src/bytes/bitmap.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { writeElf } from '../../src/dump/elf/write.ts';
import { pagesThere } from '../../src/dump/filtered.ts';
import { overlaid } from '../../src/dump/overlay.ts';
import type { Dump, MemoryImage } from '../../src/dump/types.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { countByClass, filtered, keptPages } from '../../src/linux/page-filter.ts';
import { pageLayout } from '../../src/linux/page-layout.ts';
import { classRuns, PageClass } from '../../src/linux/pages.ts';
import { dumpLike, dumpPath, openFile } from '../support/fixture.ts';
import { save } from '../support/foreign.ts';
import { findImage } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-filter-'));
afterAll(() => rmSync(folder, { recursive: true }));

const makedumpfile = findProgram('makedumpfile');
if (makedumpfile === undefined) console.warn('skipped: no makedumpfile');

/** What `left` has and `right` lacks, in runs of PFNs. */
function beyond(left: Bitmap, right: Bitmap): { first: number; end: number }[] {
  const only = new Bitmap(left.bytes.slice());
  only.subtract(right);
  return [...only.runs(0, only.length)];
}

/** The firmware below 4 GB: QEMU dumps it, and no section of memory has struct pages for it. */
const firmware = { first: 0xfffc0, end: 0x100000 };

describe.skipIf(makedumpfile === undefined)('makedumpfile', () => {
  const filter = async (input: string, level: number, form: string): Promise<Dump> => {
    const output = join(folder, 'theirs');
    rmSync(output, { force: true });
    execFileSync(makedumpfile!, [form, '-d', String(level), input, output], { stdio: 'pipe' });
    return await openFile(output);
  };
  /** makedumpfile reads no zstd, and no KDUMP file that QEMU wrote. */
  const asElf = (dump: Dump, name: string): string =>
    save(join(folder, name), (sink) => {
      const { uts, notes, vmcoreinfo } = dump;
      const physBase = openKernel(dump).vmcoreinfo.physBase!;
      const content = { image: dump, uts: uts!, time: 0, notes, vmcoreinfo, physBase, cpus: [] };
      writeElf(sink, content, { style: 'kdump', codecs: createCodecs(nodeZlib) });
    });

  const base = '../../fixtures/machine/base.kdump';
  const late = dumpPath('sysrq.kdump');
  const inputs = [
    ['all pages', () => findImage('sysrq-full.flat'), 'ELF', [firmware]],
    ['all pages but the free ones', () => dumpPath(base), 'ELF', []],
    ['level 23', () => late, 'as it is', []],
    ['level 31, by the crash kernel', () => findImage('kdump-real.vmcore'), 'as it is', []],
    ['level 31', () => findImage('hardirq.kdump'), 'as it is', []],
    ['level 31, another', () => findImage('null.kdump'), 'as it is', []],
    ['level 31, a third', () => findImage('stack.kdump'), 'as it is', []],
  ] as const;

  test.for(inputs)('keeps of a dump of %s what we keep', async (given, { skip }) => {
    const [name, find, form, onlyOurs] = given;
    const path = find();
    if (path === undefined) return skip('the dump is not here');
    const dump = await openFile(path);
    const kernel = openKernel(dump);
    const input = form === 'ELF' ? asElf(dump, 'input') : path;
    // What a dump was filtered by, it is filtered by again.
    const levels = name.startsWith('level 31') ? [0, 31] : [0, 1, 2, 4, 8, 16, 31];
    for (const level of levels) {
      const theirs = pagesThere(await filter(input, level, '-l'));
      const { kept } = keptPages(() => kernel, dump, level);
      expect(beyond(theirs, kept), `level ${level}`).toEqual([]);
      // Above the last section of memory it sees none, at level 0 either.
      expect(beyond(kept, theirs), `level ${level}`).toEqual(onlyOurs);
    }
    if (input !== path) rmSync(input);
  });

  test('leaves zero pages out of ELF files as we do, but for short runs', async () => {
    const dump = await openFile(dumpPath(base));
    const input = asElf(dump, 'input-of-zeros');
    for (const level of [1, 31]) {
      const theirs = await filter(input, level, '-E');
      const ours = filtered(() => openKernel(dump), dump, level);
      const stored = pagesThere(ours.image);
      expect(ours.zero).toBeGreaterThan(1000);
      expect(stored.count).toBe(pagesThere(dump).count - ours.filtered - ours.zero);
      expect(beyond(stored, pagesThere(theirs))).toEqual([]);
      // It begins no segment for fewer excluded pages (PFN_EXCLUDED): they stay in the file.
      const more = beyond(pagesThere(theirs), stored);
      expect(more.filter(({ first, end }) => end - first >= 256)).toEqual([]);
    }
  });
});

test('up to level 1 no kernel is asked for', async () => {
  const dump = await openFile(dumpPath('sysrq.kdump'));
  const kernel = (): Kernel => {
    throw new TypeError('nobody should ask');
  };
  for (const level of [0, 1]) {
    expect(keptPages(kernel, dump, level)).toMatchObject({ filtered: 0, unknown: 0 });
  }
});

test('the layout of struct page takes no types and no symbols where VMCOREINFO has it', async () => {
  for (const name of ['sysrq.kdump', 'linux-6.12.kdump']) {
    const { memory, vmcoreinfo } = openKernel(await frames(name));
    const never = (): never => {
      throw new TypeError('nobody should ask');
    };
    const kernel = {
      memory,
      vmcoreinfo,
      get types() {
        return never();
      },
      get symbols() {
        return never();
      },
    };
    expect(pageLayout(kernel).size).toBe(64);
  }
});

test('where no section of memory can be read, a symbol leads to the struct pages', async () => {
  const sliced = openKernel(await openFile(dumpPath('linux-6.12.kdump')));
  const whole = openKernel(await frames('linux-6.12.kdump'));
  expect(pageLayout(sliced)).toEqual(pageLayout(whole));
});

/** The dump, with the struct pages that a file beside it has for it. */
async function frames(name: string): Promise<Dump> {
  const dump = await openFile(dumpPath(name));
  if (name !== 'linux-6.12.kdump') return dump;
  const beside = await openFile(dumpPath('linux-6.12-frames.kdump'));
  // The first slice was made of an ELF file, which has no place for names.
  return overlaid(dumpLike(dump, { uts: beside.uts }), beside);
}

/** As the dump was before pages were taken out of it: their contents are not asked for. */
function unfiltered(dump: Dump): MemoryImage {
  return dumpLike(dump, {
    *runs() {
      for (const run of dump.runs()) {
        yield run.state === 'excluded' ? { ...run, state: 'stored' as const } : run;
      }
    },
  });
}

describe('Linux 6.12, where page types are numbers', () => {
  test('pages by class are as many as the kernel has counted itself', async () => {
    const dump = await frames('linux-6.12.kdump');
    const kernel = openKernel(dump);
    const counts = countByClass(kernel, unfiltered(dump));
    const said = pageStatistics(kernel);
    expect(said).toEqual({
      onFreeLists: 34_928,
      nrFreePages: 34_928,
      // These are the kernel's to us: nothing in their struct pages says that they are free.
      inCpuLists: 1_473,
      nrFilePages: 4_703,
      nrAnonMapped: 65,
    });
    expect(counts.free.pages).toBe(said.onFreeLists);
    expect(counts.cache.pages + counts.privateCache.pages).toBe(said.nrFilePages);
    expect(counts.user.pages).toBe(said.nrAnonMapped);
    expect(counts.unusable.pages + counts.unknown.pages).toBe(0);
    const all = Object.values(counts).reduce((sum, { pages }) => sum + pages, 0);
    expect(all).toBe(57_053);
  });

  test('each level leaves out the classes of its bits, whatever the others are', async () => {
    const dump = await frames('linux-6.12.kdump');
    const kernel = openKernel(dump);
    const image = unfiltered(dump);
    const gone = [2, 4, 8, 16, 31].map((level) => keptPages(() => kernel, image, level).filtered);
    expect(gone).toEqual([4_703, 4_703, 65, 34_928, 4_703 + 65 + 34_928]);
  });
});

test('no page frame is passed over, and none comes twice', async () => {
  const dump = await openFile(dumpPath('sysrq.kdump'));
  const kernel = openKernel(dump);
  let at = 0;
  const ranges = [{ first: 0, end: dump.endPfn }];
  for (const { first, end, pageClass } of classRuns(kernel.memory, pageLayout(kernel), ranges)) {
    expect(first).toBe(at);
    expect(end).toBeGreaterThan(first);
    expect(Object.values<number>(PageClass)).toContain(pageClass);
    at = end;
  }
  expect(at).toBeGreaterThanOrEqual(dump.endPfn);
});
