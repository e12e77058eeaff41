/**
 * Foreign programs read our ELF, split and flattened files, and we read theirs: libkdumpfile page
 * by page, makedumpfile, readelf, file. What is not installed is skipped loudly; crash has a test
 * of its own, test/foreign.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, pathOf } from '../../bench/peers.mjs';
import type { Pipe } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeElf } from '../../src/dump/elf/write.ts';
import { flattened } from '../../src/dump/flattened/write.ts';
import { writeKdump } from '../../src/dump/kdump/write.ts';
import { openDump, openSplit } from '../../src/dump/open.ts';
import type { Dump } from '../../src/dump/types.ts';
import { writeParts } from '../../src/dump/writers.ts';
import { fileSink } from '../../src/host/file-sink.ts';
import { fileSource } from '../../src/host/file-source.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { fileOf, recipesOf } from '../recipes/recipes.ts';
import { dumpPath, openFile, openFixture } from '../support/fixture.ts';
import { comparePages, save } from '../support/foreign.ts';
import { findImage } from '../support/images.ts';
import { expectEqual } from '../support/pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-vmcore-'));
afterAll(() => rmSync(folder, { recursive: true }));
const codecs = createCodecs(nodeZlib);
await codecs.prepare('zstd');
await codecs.prepare('snappy');

const makedumpfile = findProgram('makedumpfile');
const readelf = findProgram('readelf');
const file = pathOf('file');
/** Debian's module belongs to Debian's Python, which need not be the first one. */
const python = ['python3', '/usr/bin/python3'].find(
  (each) => spawnSync(each, ['-c', 'import kdumpfile']).status === 0,
);
const programs = { makedumpfile, readelf, file, 'python3 with kdumpfile': python };
for (const [name, path] of Object.entries(programs)) {
  if (path === undefined) console.warn(`skipped: no ${name}`);
}

let dump: Dump;
let content: DumpContent;
let directMap: bigint;

beforeAll(async () => {
  dump = await openFixture();
  directMap = openKernel(dump).toVirtual(0n);
  content = {
    image: dump,
    uts: dump.uts!,
    time: dump.time ?? 0,
    notes: dump.notes,
    vmcoreinfo: dump.vmcoreinfo,
    physBase: BigInt(/NUMBER\(phys_base\)=(-?\d+)/.exec(dump.vmcoreinfo!)![1]!),
    cpus: [],
    panic: { message: '', task: 0xffff888000001000n, cpu: 0 },
  };
});

function run(program: string, words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

describe.skipIf(python === undefined)('libkdumpfile', () => {
  const script = fileURLToPath(new URL('libkdumpfile.py', import.meta.url));

  /** Pages that we have, and what it says of the file and of each. */
  const ask = (path: string, of: Dump): { pfns: number[]; head: string; pages: string[] } => {
    const pfns = [...of.runs()].flatMap(({ first, end, state }) =>
      state === 'stored' ? Array.from({ length: end - first }, (_, index) => first + index) : [],
    );
    const input = [`file ${path}`, ...pfns.map((pfn) => `page ${pfn}`), ''].join('\n');
    const options = { input, encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
    const [head, ...pages] = execFileSync(python!, [script], options).trimEnd().split('\n');
    return { pfns, head: head!, pages };
  };

  const readAlike = (path: string, of: Dump): void => {
    const { pfns, head, pages } = ask(path, of);
    expect(head).toBe('x86_64 4096');
    expect(pfns.length).toBeGreaterThan(2_000);
    for (const [index, pfn] of pfns.entries()) {
      const ours = createHash('sha256').update(of.readPage(pfn).bytes!).digest('hex');
      if (pages[index] !== ours) throw new Error(`page ${pfn}: ${pages[index]}`);
    }
  };

  /** What it reads otherwise, and why that is no mistake of ours. */
  const differences: Readonly<Record<string, string>> = {
    'overlapping segments: the first wins': 'it takes the one that begins first',
    'one bitmap: nothing is excluded':
      'it takes the upper half of the only bitmap for a second one',
    'two packings at once': 'it takes one of them',
    'a descriptor larger than a page': 'it dies',
    'more program headers than e_phnum says, and no section 0: they are counted':
      'it has no headers then',
    'more program headers than e_phnum says, and a section 0 that says none: they are counted':
      'it has no headers then',
    'more program headers than e_phnum says, and a section 0 that says too many: they are counted':
      'it does not open it',
    "no physical addresses: the direct map's say them, and only its":
      'it takes zeros for addresses',
    'no physical addresses: a direct map that KASLR has moved': 'it takes zeros for addresses',
    'no physical addresses: the direct map of five levels': 'it takes zeros for addresses',
    'no addresses at all: nothing is made up': 'of two segments at 0 it takes the other one',
  };
  const situations = ['elf', 'kdump'].flatMap((format) => recipesOf(format));

  test.each(situations)('of the recipe "$name" it reads the same pages', async (recipe) => {
    const bytes = fileOf(recipe, codecs);
    const of = await openDump(memorySource('recipe', bytes), { codecs }).catch(() => undefined);
    if (of === undefined || differences[recipe.name] !== undefined) return;
    const path = save(join(folder, `recipe-${situations.indexOf(recipe)}`), (sink) =>
      sink.write(0, bytes),
    );
    const { pfns, pages } = ask(path, of);
    for (const [index, pfn] of pfns.entries()) {
      const page = of.readPage(pfn).bytes;
      if (page === undefined) expect(pages[index]).toMatch(/^error/);
      else expect(pages[index]).toBe(createHash('sha256').update(page).digest('hex'));
    }
  });

  test('reads our ELF of the default machine', () => {
    readAlike(
      save(join(folder, 'lib'), (sink) =>
        writeElf(sink, { ...content, directMap }, { style: 'kdump', codecs }),
      ),
      dump,
    );
  });

  const contentOf = (of: Dump): DumpContent => ({ ...content, image: of, notes: of.notes });

  test.each(['kdump', 'netdump'] as const)('reads our ELF of a newer one, %s', async (style) => {
    const of = await openFile(dumpPath('linux-6.12.kdump'));
    readAlike(
      save(join(folder, `lib-${style}`), (sink) =>
        writeElf(sink, contentOf(of), { style, codecs }),
      ),
      of,
    );
  });

  test.each(['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const)(
    'reads our KDUMP, %s',
    async (compression) => {
      const of = await openFile(dumpPath('linux-6.12.kdump'));
      const options = { compression, level: 31, codecs };
      readAlike(
        save(join(folder, `lib-${compression}`), (sink) =>
          writeKdump(sink, contentOf(of), options),
        ),
        of,
      );
    },
  );
});

describe.skipIf(makedumpfile === undefined)('makedumpfile', () => {
  const run_ = (...words: readonly string[]): string => run(makedumpfile!, words);

  test('finds the log in our ELF, and filters it as it filters our KDUMP', async () => {
    const elf = save(join(folder, 'elf'), (sink) =>
      writeElf(sink, { ...content, directMap }, { style: 'kdump', codecs }),
    );
    run_('--dump-dmesg', elf, `${elf}.log`);
    expect(readFileSync(`${elf}.log`, 'utf8').split('\n').length).toBeGreaterThan(100);
    expect(comparePages(dump, await openFile(elf))).toBeGreaterThan(10_000);
    const options = { compression: 'zlib', level: 0, codecs } as const;
    const kdump = save(join(folder, 'for-filter'), (sink) => writeKdump(sink, content, options));
    for (const input of [elf, kdump]) run_('-c', '-d', '31', input, `${input}.31`);
    const [ofElf, ofKdump] = [await openFile(`${elf}.31`), await openFile(`${kdump}.31`)];
    const kept = comparePages(ofElf, ofKdump);
    expect(kept).toBeGreaterThan(5_000);
    expect(comparePages(ofKdump, ofElf)).toBe(kept);
    expect(comparePages(ofElf, dump)).toBe(kept);
  });

  test('joins the parts that we write; we join those that it writes', async () => {
    const paths = ['part1', 'part2', 'part3'].map((name) => join(folder, name));
    const sinks = paths.map((path) => fileSink(path, { overwrite: false }));
    await writeParts(sinks, content, { compression: 'zlib', level: 0, codecs });
    for (const sink of sinks) sink.finish();
    const whole = join(folder, 'whole');
    run_('--reassemble', ...paths, whole);
    expect(comparePages(dump, await openFile(whole))).toBeGreaterThan(10_000);
    const theirs = ['theirs1', 'theirs2'].map((name) => join(folder, name));
    run_('--split', '-l', '-d', '0', whole, ...theirs);
    const joined = await openSplit(theirs.reverse().map(fileSource), { codecs });
    expect(joined.description).toBe('KDUMP v6, lzo, 2 parts of a split dump');
    expect(joined.incomplete).toBeUndefined();
    expect(comparePages(dump, joined)).toBeGreaterThan(10_000);
    expect(joined.vmcoreinfo).toBe(dump.vmcoreinfo);
    // And each part by itself.
    const alone = await Promise.all(theirs.map(openFile));
    expect(alone.map(({ incomplete }) => incomplete).join()).toContain('no part holds');
    const compared = alone.map((part) => comparePages(part, dump));
    expect(compared.reduce((sum, count) => sum + count)).toBeGreaterThan(10_000);
    joined.close();
  });

  test('rearranges what we flatten into the very file; we read what it flattens', async () => {
    const options = { compression: 'lzo', level: 0, codecs } as const;
    const plain = save(join(folder, 'plain'), (sink) => writeKdump(sink, content, options));
    const flat = join(folder, 'flat');
    const fd = openSync(flat, 'wx');
    const pipe: Pipe = {
      name: flat,
      append: (bytes) => {
        writeSync(fd, bytes);
      },
      finish: () => closeSync(fd),
      abort: () => closeSync(fd),
    };
    const sink = flattened(pipe);
    writeKdump(sink, content, options);
    sink.finish();
    const input = openSync(flat, 'r');
    execFileSync(makedumpfile!, ['-R', `${flat}.plain`], { stdio: [input, 'pipe', 'pipe'] });
    closeSync(input);
    expectEqual(readFileSync(`${flat}.plain`), readFileSync(plain));
    const output = openSync(`${flat}.theirs`, 'wx');
    execFileSync(makedumpfile!, ['-F', '-c', '-d', '0', plain], {
      stdio: ['pipe', output, 'pipe'],
    });
    closeSync(output);
    const theirs = await openFile(`${flat}.theirs`);
    expect(theirs.description).toBe('KDUMP v6, zlib, flattened');
    expect(comparePages(dump, theirs)).toBeGreaterThan(10_000);
  });

  const real = findImage('kdump-real.vmcore');
  test.skipIf(real === undefined)('-E of a real dump: we read it, and write it again', async () => {
    // Once through us: makedumpfile makes ELF of no KDUMP file.
    const source = await openFile(real!);
    const of: DumpContent = { ...content, image: source, notes: source.notes };
    const elf = save(join(folder, 'real'), (sink) =>
      writeElf(sink, of, { style: 'kdump', codecs }),
    );
    run_('-E', '-d', '1', elf, `${elf}.1`);
    const theirs = await openFile(`${elf}.1`);
    const kept = comparePages(theirs, source);
    expect(kept).toBeGreaterThan(5_000);
    const filtered = { ...of, image: theirs };
    const again = save(join(folder, 'real-again'), (sink) =>
      writeElf(sink, filtered, { style: 'netdump', codecs }),
    );
    const back = await openFile(again);
    expect(comparePages(theirs, back)).toBe(kept);
    expect([...back.runs()]).toEqual([...theirs.runs()]);
  });
});

describe.skipIf(readelf === undefined || file === undefined)('readelf and file', () => {
  test.each(['kdump', 'netdump'] as const)('know our ELF, %s style', (style) => {
    const path = save(join(folder, `known-${style}`), (sink) =>
      writeElf(sink, { ...content, directMap }, { style, codecs }),
    );
    expect(run(file!, ['-b', path])).toMatch(/^ELF 64-bit LSB core file, x86-64/);
    const told = run(readelf!, ['-h', '-l', '-n', path]);
    expect(told).not.toMatch(/warning|error/i);
    expect(told.match(/NT_PRSTATUS/g)?.length).toBe(
      dump.cpus.filter(({ source }) => source === 'NT_PRSTATUS').length,
    );
    expect(told).toContain('VMCOREINFO');
    expect(told.includes('NT_TASKSTRUCT')).toBe(style === 'netdump');
    const loads = told.match(/^ +LOAD /gm)?.length;
    const runs = [...dump.runs()].filter(({ state }) => state === 'stored').length;
    expect(loads).toBe(runs);
  });
});
