/** How large a dump will be, before it is written: against dumps that are written. */

import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { costsOf, type Estimate, type Forecast, forecast } from '../../src/convert/forecast.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import type { Dump, MemoryImage } from '../../src/dump/types.ts';
import { writeDump } from '../../src/dump/writers.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { countByClass, filtered } from '../../src/linux/page-filter.ts';
import { openFile } from '../support/fixture.ts';

const codecs = createCodecs(nodeZlib);
let dump: Dump;
let kernel: Kernel;

beforeAll(async () => {
  // Everything but free pages.
  dump = await openFile(
    fileURLToPath(new URL('../../fixtures/machine/base.kdump', import.meta.url)),
  );
  kernel = openKernel(dump);
});

function foretell(format: string, compression: 'none' | 'zlib' | 'rle', seed = 1): Forecast {
  const codec = codecs.get(compression);
  return forecast(kernel, dump, { codec, costs: costsOf(format, dump, codec)!, seed });
}

function contains({ low, high }: Estimate, value: number): boolean {
  return low <= value && value <= high;
}

async function sizeOf(
  format: string,
  compression: 'none' | 'zlib' | 'rle',
  image: MemoryImage,
): Promise<number> {
  const { uts, notes, vmcoreinfo } = dump;
  const physBase = kernel.vmcoreinfo.physBase!;
  const content: DumpContent = { image, uts: uts!, time: 0, notes, vmcoreinfo, physBase, cpus: [] };
  const summary = await writeDump(format, new MemorySink(), content, {
    compression, level: 0, codecs,
  }); // biome-ignore format: one call
  return summary.bytes;
}

describe.each([
  ['kdump', 'zlib'],
  ['lkcd', 'rle'],
  ['elf', 'none'],
  ['mkdump', 'none'],
] as const)('%s, %s', (format, compression) => {
  test('the size that it comes to lies in the interval, and the interval is narrow', async () => {
    const { levels } = foretell(format, compression);
    for (const level of [0, 31]) {
      // Where all zero pages are one, they stay.
      const toLeaveOut = ['kdump', 'diskdump'].includes(format) ? level & ~1 : level;
      const { image } = filtered(() => kernel, dump, toLeaveOut);
      const bytes = await sizeOf(format, compression, image);
      const said = levels.find((each) => each.level === level)!.bytes;
      // Notes, and what a format says of each run, are not known.
      const slack = 3 * 4096 + (['elf', 'mkdump'].includes(format) ? 0.01 * bytes : 0);
      const wider = { ...said, low: said.low - slack, high: said.high + slack };
      expect(contains(wider, bytes), `level ${level}: ${bytes} in ${JSON.stringify(said)}`).toBe(
        true,
      );
      expect(said.high - said.low).toBeLessThan(0.2 * bytes);
    }
  });
});

test('pages are counted, but for zero pages, which are estimated', () => {
  const { levels, classes } = foretell('lkcd', 'zlib');
  const counts = countByClass(kernel, dump);
  for (const { name, pages } of classes) expect(pages).toBe(counts[name].pages);
  for (const { level, pages } of levels) {
    const { filtered: gone, zero } = filtered(() => kernel, dump, level);
    const kept = classes.reduce((sum, each) => sum + each.pages, 0) - gone - zero;
    expect(contains(pages, kept), `level ${level}: ${kept} in ${JSON.stringify(pages)}`).toBe(true);
    if ((level & 1) === 0) expect(pages).toEqual({ low: kept, likely: kept, high: kept });
    else expect(pages.high - pages.low).toBeGreaterThan(0);
  }
});

test('of many draws nearly all intervals have the truth in them', () => {
  const { levels } = foretell('lkcd', 'none');
  const truth = filtered(() => kernel, dump, 31).kept.count;
  const pagesOf = ({ levels: said }: Forecast) => said.find(({ level }) => level === 31)!.pages;
  const draws = Array.from({ length: 25 }, (_, seed) => pagesOf(foretell('lkcd', 'none', seed)));
  expect(draws[1]).toEqual(pagesOf({ classes: [], levels }));
  expect(new Set(draws.map(({ likely }) => likely)).size).toBeGreaterThan(10);
  expect(draws.filter((said) => contains(said, truth)).length).toBeGreaterThanOrEqual(24);
});

test('where all pages are read nothing is estimated', () => {
  const codec = codecs.get('none');
  const costs = costsOf('lkcd', dump, codec)!;
  const { levels, classes } = forecast(kernel, dump, { codec, costs, sample: 1e6, levels: [31] });
  const { kept } = filtered(() => kernel, dump, 31);
  expect(levels[0]!.pages).toEqual({ low: kept.count, likely: kept.count, high: kept.count });
  for (const { pages, sampled } of classes) expect(sampled).toBe(pages);
});

test('without a kernel nothing is said of levels that ask what a page is', () => {
  const codec = codecs.get('none');
  const said = forecast(undefined, dump, { codec, costs: costsOf('elf', dump, codec)! });
  expect(said.levels.map(({ level }) => level)).toEqual([0, 1]);
  expect(said.classes.filter(({ pages }) => pages > 0).map(({ name }) => name)).toEqual([
    'unknown',
  ]);
});

test('where all pages of zeros are one they are counted at every level', () => {
  const { levels } = foretell('kdump', 'zlib');
  const pagesOf = (level: number) => levels.find((each) => each.level === level)!.pages;
  expect(pagesOf(1)).toEqual(pagesOf(0));
  const { count } = filtered(() => kernel, dump, 30).kept;
  expect(pagesOf(31)).toEqual({ low: count, likely: count, high: count });
});
