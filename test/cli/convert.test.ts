/** `tsdump convert` as a user runs it, on the default machine's memory. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openInput } from '../../src/cli/input.ts';
import type { Dump, PageRun } from '../../src/dump/types.ts';
import { machine, program, root, tsdump } from '../support/cli.ts';
import { comparePages } from '../support/foreign.ts';
import { expectEqual } from '../support/pages.ts';
import { schemaProblems } from '../support/schemas.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-convert-'));
afterAll(() => rmSync(folder, { recursive: true }));
let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(folder, 'case-'));
});

/** A small one: a sixth of the memory of `machine`. */
const small = join(root, 'test/dumps/linux-5.10.kdump');
const filtered23 = join(root, 'test/dumps/sysrq.kdump');

const convert = (...words: readonly string[]) => tsdump(['convert', ...words], { cwd });
const path = (name: string): string => join(cwd, name);

async function open(...names: readonly string[]): Promise<Dump> {
  const { dump } = await openInput(names, {});
  return dump;
}

/** All that a dump says, but for names. */
function factsOf(dump: Dump): object {
  const { pageSize, endPfn, architecture, uts, time, notes, cpus, vmcoreinfo } = dump;
  const { physBase, panic, level, incomplete } = dump;
  const said = { uts, time, notes, cpus, vmcoreinfo, physBase, panic, level, incomplete };
  return { pageSize, endPfn, architecture, ...said, runs: [...dump.runs()] };
}

function stored(runs: Iterable<PageRun>): number {
  let pages = 0;
  for (const { first, end, state } of runs) if (state === 'stored') pages += end - first;
  return pages;
}

describe.each([
  ['vmcore', [], 'KDUMP v6, zlib'],
  ['out.elf', [], 'ELF64 vmcore'],
  ['out.lkcd', ['--compress', 'rle'], 'LKCD v8, RLE'],
  ['out.diskdump', ['--compress', 'gzip'], 'diskdump'],
  ['out', ['--to', 'diskdump-partition'], 'diskdump partition'],
  ['out.mkdump', [], 'mkdump v1'],
  ['out.lime', [], 'LiME'],
  ['out.raw', [], 'raw memory'],
  ['out.flat', ['--compress', 'none'], 'KDUMP v6, uncompressed, flattened'],
] as const)('a real dump as %s %j', (name, options, description) => {
  test('has the same pages, and opens to the same kernel', async () => {
    const { status, stdout, stderr } = convert(machine, name, ...options);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nnext: tsdump analyze \S+\n$/);
    const [was, is] = [await open(machine), await open(path(name))];
    expect(is.description.toLowerCase()).toContain(description.toLowerCase());
    expect(comparePages(was, is)).toBe(stored(was.runs()));
    was.close();
    is.close();
    const said = tsdump(['analyze', name, 'sys', '--quiet'], { cwd });
    expect(said.stdout).toContain('RELEASE: 6.1.0-56-cloud-amd64');
    expect(said.stdout).toContain('sysrq triggered crash');
  });
});

test.each(['raw', 'lime', 'elf', 'lkcd', 'diskdump', 'mkdump'])(
  'KDUMP to %s with its side file and back: not a page and not a fact is lost',
  async (format) => {
    expect(convert(small, 'there', '--to', format, '--sidecar', '--lossless').status).toBe(0);
    const raw = format === 'raw' ? ['--format', 'raw'] : [];
    expect(convert('there', 'back', ...raw).status).toBe(0);
    const [was, is] = [await open(small), await open(path('back'))];
    expect(factsOf(is)).toEqual({ ...factsOf(was), panic: undefined, time: is.time });
    expect(comparePages(was, is)).toBe(stored(was.runs()));
    was.close();
    is.close();
    const side = JSON.parse(readFileSync(path('there.sidecar.json'), 'utf8'));
    expect(schemaProblems(side)).toEqual([]);
  },
);

describe('a side file', () => {
  test('of another file is not used, and that is said', () => {
    convert(small, 'a.lime', '--sidecar');
    writeFileSync(path('b.lime'), readFileSync(path('a.lime')).subarray(0, 4_000_000));
    copyFileSync(path('a.lime.sidecar.json'), path('b.lime.sidecar.json'));
    const { stderr } = tsdump(['analyze', 'b.lime', 'sys'], { cwd });
    expect(stderr).toContain('b.lime.sidecar.json: it belongs to another file\n');
  });

  test('that is damaged does not keep the dump from being opened', () => {
    convert(small, 'a.lime');
    for (const text of ['{', '[]', '{"schema":"sidecar/1","file":{}}', '\0']) {
      writeFileSync(path('a.lime.sidecar.json'), text);
      const { stderr, status } = tsdump(['analyze', 'a.lime', 'sys'], { cwd });
      expect(stderr).toContain('a.lime.sidecar.json: no side file of a dump: ');
      expect(status).toBe(0);
    }
  });
});

describe('what a format has no place for', () => {
  test('is said', () => {
    const said = convert(small, 'out.lime').stdout.replaceAll(/\s+/g, ' ');
    expect(said).toMatch(/LiME has no place for \d+ notes \(.*\); .*: lost/);
  });

  test('is refused with --lossless, and nothing is written', () => {
    const { status, stderr } = convert(small, 'out.lime', '--lossless');
    expect(status).toBe(5);
    expect(stderr).toMatch(/^tsdump: mismatch: lime has no place for /);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

test('a level that is asked for is lost as well where the format has no place for it', () => {
  const { stdout } = convert(filtered23, 'out.elf', '--level', '31', '--dry-run');
  expect(stdout).toMatch(/the\s+filter level \(31\)/);
});

test('--dry-run says what would be lost, and writes nothing', () => {
  const { status, stdout } = convert(small, 'out.raw', '--dry-run');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^would write RAW(, level \d+)?; from KDUMP/);
  expect(stdout).toContain('RAW has no place for');
  const { stdout: packed } = convert(small, '--to', 'lkcd', '--dry-run');
  expect(packed).toMatch(/^would write LKCD, zlib/);
  expect(packed).toMatch(/^level 31: \d+ pages, about /m);
  expect(readdirSync(cwd)).toEqual([]);
});

test.each([['out.lime'], ['out.raw', '--sidecar'], ['--to', 'elf', '--dry-run']])(
  '--json of %j: a document that its schema allows',
  (...words) => {
    const { status, stdout } = convert(small, ...words, '--json');
    expect(status).toBe(0);
    expect(schemaProblems(JSON.parse(stdout))).toEqual([]);
  },
);

test('a failure is a document too', () => {
  const { status, stdout } = convert('nowhere', 'out', '--json');
  expect(status).toBe(6);
  expect(schemaProblems(JSON.parse(stdout))).toEqual([]);
  expect(JSON.parse(stdout)).toMatchObject({ schema: 'convert/1', data: null });
});

test('--split: parts of about the same size that are one dump again', async () => {
  expect(convert(small, 'part', '--split', '3').status).toBe(0);
  expect(readdirSync(cwd).sort()).toEqual(['part.0', 'part.1', 'part.2']);
  expect(convert('part.2', 'part.0', 'part.1', 'whole').status).toBe(0);
  const [was, is] = [await open(small), await open(path('whole'))];
  expect(factsOf(is)).toEqual({ ...factsOf(was), time: is.time });
  expect(comparePages(was, is)).toBe(stored(was.runs()));
  was.close();
  is.close();
});

test('- is standard output, in the flattened form of any format', async () => {
  const shell = `node ${program} convert ${small} - --to elf > out`;
  const run = spawnSync('/bin/sh', ['-c', shell], { cwd, encoding: 'utf8' });
  expect(run.status).toBe(0);
  expect(run.stderr).toContain('-: ');
  const is = await open(path('out'));
  expect(is.description).toMatch(/^ELF64 vmcore.*flattened$/);
  const was = await open(small);
  expect(comparePages(was, is)).toBe(stored(was.runs()));
  was.close();
  is.close();
});

test('an image of tsdump is converted with what it lies over', () => {
  const image = join(root, 'fixtures/machine/null-process.kdump');
  const { data } = JSON.parse(convert(image, 'whole', '--json').stdout);
  expect(data.written.unreadable).toBe(0);
  expect(data.written.pages).toBeGreaterThan(20_000);
});

describe('--level', () => {
  test('leaves pages out that stay excluded, and says the level', async () => {
    expect(convert(machine, 'level', '--level', '31').status).toBe(0);
    const [was, is] = [await open(machine), await open(path('level'))];
    expect(is.level).toBe(31);
    expect(comparePages(is, was)).toBeLessThan(stored(was.runs()));
    const left = [...is.runs()].filter(({ state }) => state === 'excluded');
    expect(left.length).toBeGreaterThan(0);
    was.close();
    is.close();
    expect(tsdump(['analyze', 'level', 'bt'], { cwd }).stdout).toContain(' panic at ');
  });
});

describe('is refused, and nothing is written:', () => {
  test.each([
    ['no OUT', [small], 2],
    ['an empty name', [small, ''], 2],
    ['a format that is none', [small, 'out', '--to', 'elv'], 2],
    ['packing that the format has not', [small, 'out.elf', '--compress', 'zlib'], 2],
    ['a dump from a pipe', ['-', 'out'], 2],
    ['a level that is none', [small, 'out', '--level', '32'], 2],
    ['no thread', [small, 'out', '--jobs', '0'], 2],
    ['a part of an ELF file', [small, 'out.elf', '--split', '2'], 2],
    ['a side file of parts', [small, 'out', '--split', '2', '--sidecar'], 2],
    ['a side file of a pipe', [small, '-', '--sidecar'], 2],
    ['a document and a dump on standard output', [small, '-', '--json'], 2],
    ['no dump', [program, 'out'], 3],
    ['a folder that is not there', [small, 'nowhere/out'], 6],
  ] as const)('%s', (_, words, status) => {
    const run = convert(...words);
    expect(run.status).toBe(status);
    expect(run.stderr).toMatch(/^tsdump: /);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('packing that the format has not is told from packing that there is not', () => {
    const { stderr } = convert(small, 'out.elf', '--compress', 'gzip');
    expect(stderr).toMatch(/--compress gzip: elf does not have it\n +hint: it packs no page/);
    expect(convert(small, 'out.elf', '--compress', 'zlob').stderr).toContain(
      '(did you mean zlib?)',
    );
  });

  test('a file that is there, but with --force', () => {
    writeFileSync(path('out'), 'mine');
    expect(convert(small, 'out')).toMatchObject({ status: 6 });
    expect(readFileSync(path('out'), 'utf8')).toBe('mine');
    expect(convert(small, 'out', '--force').status).toBe(0);
    writeFileSync(path('r.raw.iomem'), 'mine');
    expect(convert(small, 'r.raw')).toMatchObject({ status: 6 });
    expect(existsSync(path('r.raw'))).toBe(false);
  });

  test('the dump itself, even with --force', () => {
    copyFileSync(small, path('vmcore'));
    const run = convert('vmcore', './vmcore', '--force');
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('is the dump itself');
    expectEqual(readFileSync(path('vmcore')), readFileSync(small));
  });
});

test('what was cut is converted as far as it goes, and flagged incomplete', async () => {
  writeFileSync(path('cut'), readFileSync(small).subarray(0, 1_500_000));
  for (const format of ['kdump', 'elf', 'lkcd', 'diskdump', 'mkdump']) {
    const run = convert('cut', format, '--to', format, '--strict');
    expect(run.status).toBe(5);
    expect(run.stdout).toContain('the source is not whole');
    const [was, is] = [await open(path('cut')), await open(path(format))];
    expect(is.incomplete).toBeDefined();
    expect(comparePages(was, is)).toBeGreaterThan(100);
    was.close();
    is.close();
  }
});

/**
 * Converts by two threads and sends the signal when headers and some pages are written; again where
 * all was written before the signal came. The result is the signal that ended it.
 */
async function endedWhileWriting(signal: NodeJS.Signals, to: string): Promise<string | undefined> {
  for (let run = 0; run < 10; run++) {
    const words = ['convert', machine, 'out', '--to', to, '--jobs', '2', '--force', '--quiet'];
    const child = spawn(process.execPath, [program, ...words], { cwd, stdio: 'ignore' });
    const watcher = watch(cwd, (_, name) => {
      if (!name?.endsWith('.part')) return;
      // The name is also there for an instant at the start, when it is tried.
      const size = statSync(path(name), { throwIfNoEntry: false })?.size ?? 0;
      if (size > 256 * 1024) child.kill(signal);
    });
    const [, by] = await once(child, 'exit');
    watcher.close();
    if (by !== null) return by;
  }
  return undefined;
}

describe('two threads that write a dump', () => {
  test('end by SIGINT, 130 for a shell, and leave no file', async () => {
    expect(await endedWhileWriting('SIGINT', 'kdump')).toBe('SIGINT');
    expect(readdirSync(cwd)).toEqual([]);
  });

  test.each(['kdump', 'diskdump', 'lkcd', 'mkdump', 'elf'])(
    'killed, leave no file of that name; what there is of %s says that it is incomplete',
    async (to) => {
      expect(await endedWhileWriting('SIGKILL', to)).toBe('SIGKILL');
      const left = readdirSync(cwd);
      expect(left).toEqual([expect.stringMatching(/^out\.\d+\.part$/)]);
      const dump = await open(path(left[0]!));
      expect(dump.incomplete).toBeDefined();
      dump.close();
    },
  );
});
