/**
 * Foreign programs read what we write and write what we read: the C libraries of the codecs (by
 * python's ctypes) and makedumpfile. crash has a test of its own, test/foreign. What is not
 * installed is skipped loudly.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../bench/peers.mjs';
import { DumpError } from '../../src/bytes/errors.ts';
import { MemorySink } from '../../src/bytes/sink.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeKdump } from '../../src/dump/kdump/write.ts';
import { writeLkcd } from '../../src/dump/lkcd/write.ts';
import { encodeNotes } from '../../src/dump/notes.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump } from '../../src/dump/types.ts';
import { fileSource } from '../../src/host/file-source.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { openFixture } from '../support/fixture.ts';
import { comparePages, save } from '../support/foreign.ts';
import { findImage } from '../support/images.ts';
import { mutate, Random } from '../support/mutate.ts';
import { expectEqual, pageArbitrary } from '../support/pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-witness-'));
afterAll(() => rmSync(folder, { recursive: true }));
const codecs = createCodecs(nodeZlib);
await codecs.prepare('zstd');
await codecs.prepare('snappy');

const python = findProgram('python3');
const makedumpfile = findProgram('makedumpfile');
for (const [name, path] of Object.entries({ python3: python, makedumpfile })) {
  if (path === undefined) console.warn(`skipped: no ${name}`);
}

async function open(path: string): Promise<Dump> {
  return openDump(fileSource(path), { codecs: createCodecs(nodeZlib) });
}

type Library = 'zlib' | 'lzo' | 'snappy' | 'zstd';

/** Answers in hex; `error`, or `missing`. */
function askLibrary(
  name: Library,
  direction: 'pack' | 'unpack',
  size: number,
  inputs: readonly Uint8Array[],
): string[] {
  const script = fileURLToPath(new URL('witness.py', import.meta.url));
  const lines = inputs.map((each) => {
    return `${name} ${direction} ${Buffer.from(each).toString('hex')} ${size}\n`;
  });
  const options = { input: lines.join(''), encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  return execFileSync(python!, [script], options).trimEnd().split('\n');
}

describe.each<Library>(['zlib', 'lzo', 'snappy', 'zstd'])('%s and its C library', (name) => {
  test.skipIf(python === undefined).for([
    [4096, 300],
    [65536, 40],
  ] as const)('read each other: %i bytes', ([size, numRuns], { skip }) => {
    const codec = codecs.get(name);
    const pages = fc.sample(pageArbitrary(size), { numRuns, seed: 42 });
    const theirs = askLibrary(name, 'pack', size, pages);
    if (theirs[0]?.startsWith('missing')) skip(`no library for ${name}`);
    for (const [index, page] of pages.entries()) {
      expectEqual(codec.decompress(Buffer.from(theirs[index]!, 'hex'), size), page);
    }
    const shrunk = pages.filter((page) => codec.compress(page) !== undefined);
    expect(shrunk.length).toBeGreaterThan(numRuns / 3);
    const read = askLibrary(
      name,
      'unpack',
      size,
      shrunk.map((page) => codec.compress(page)!),
    );
    for (const [index, page] of shrunk.entries()) {
      expectEqual(Buffer.from(read[index]!, 'hex'), page);
    }
  });
});

test.skipIf(python === undefined)('liblzo2 and we accept the same damaged streams', ({ skip }) => {
  const { compress, decompress } = codecs.get('lzo');
  const pages = fc.sample(pageArbitrary(4096), { numRuns: 40, seed: 5 });
  const streams = pages.map((page) => compress(page)).filter((each) => each !== undefined);
  const damaged = Array.from({ length: 3000 }, (_, index) => {
    const random = new Random(index + 1);
    return mutate(random.pick(streams), random, [0, 0, 8]);
  }).filter((each) => each.length > 0);
  const theirs = askLibrary('lzo', 'unpack', 4096, damaged);
  if (theirs[0]?.startsWith('missing')) skip('no library for lzo');
  let accepted = 0;
  for (const [index, stream] of damaged.entries()) {
    let ours = 'error';
    try {
      ours = Buffer.from(decompress(stream, 4096)).toString('hex');
      accepted++;
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
    }
    // The library has a page of any size for us.
    const expected = theirs[index]!.length === 2 * 4096 ? theirs[index] : 'error';
    if (ours !== expected) throw new Error(`seed ${index + 1}: ${ours} is not ${expected}`);
  }
  expect(accepted).toBeGreaterThan(100);
});

function contentOf(dump: Dump): DumpContent {
  const uts = {
    sysname: 'Linux',
    nodename: 'test',
    release: '6.1.0-56-cloud-amd64',
    version: '',
    machine: 'x86_64',
    domainname: '',
  };
  const { notes, vmcoreinfo } = dump;
  return { image: dump, uts, time: 1, notes, vmcoreinfo, physBase: physBaseOf(dump), cpus: [] };
}

function physBaseOf(dump: Dump): bigint {
  return BigInt(/NUMBER\(phys_base\)=(-?\d+)/.exec(dump.vmcoreinfo!)![1]!);
}

function dmesg(file: string): string {
  const output = `${file}.dmesg`;
  const { status, stdout, stderr } = spawnSync(makedumpfile!, ['--dump-dmesg', file, output], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`makedumpfile: ${stdout}${stderr}`);
  return readFileSync(output, 'utf8');
}

describe.skipIf(makedumpfile === undefined)('makedumpfile', () => {
  test.each(['none', 'zlib', 'lzo'] as const)('reads our KDUMP: %s', async (compression) => {
    const dump = await openFixture();
    const path = save(join(folder, `own-${compression}`), (sink) => {
      writeKdump(sink, contentOf(dump), { compression, level: dump.level ?? 0, codecs });
    });
    const log = dmesg(path);
    expect(log).toContain('Linux version 6.1.0-56-cloud-amd64');
    expect(log.split('\n').length).toBeGreaterThan(100);
    expect(comparePages(dump, await open(path))).toBeGreaterThan(10_000);
  });

  test('filters our KDUMP again: the pages stay what they were', async () => {
    const dump = await openFixture();
    const path = save(join(folder, 'again'), (sink) => {
      writeKdump(sink, contentOf(dump), { compression: 'zlib', level: 0, codecs });
    });
    const out = `${path}.lzo`;
    execFileSync(makedumpfile!, ['-l', '-d', '31', path, out], { stdio: 'pipe' });
    const again = await open(out);
    expect(again.description).toBe('KDUMP v6, lzo');
    expect(comparePages(again, dump)).toBeGreaterThan(5_000);
  });

  const flat = findImage('sysrq-full.flat');
  test.skipIf(flat === undefined)('rearranges a flattened file as we read it', async () => {
    const out = join(folder, 'rearranged');
    const input = openSync(flat!, 'r');
    execFileSync(makedumpfile!, ['-R', out], { stdio: [input, 'pipe', 'pipe'] });
    closeSync(input);
    const [flattened, plain] = [await open(flat!), await open(out)];
    expect(plain.description).toBe('KDUMP v6, zlib');
    expect(flattened.vmcoreinfo).toBe(plain.vmcoreinfo);
    expect([...flattened.runs()]).toEqual([...plain.runs()]);
    expect(comparePages(plain, flattened)).toBe(20544);
  });

  test.skipIf(flat === undefined)(
    '-E writes an ELF file: excluded tails, pages as before',
    async () => {
      const dump = await open(flat!);
      const elf = join(folder, 'elf');
      writeFileSync(elf, elfOf(dump));
      const whole = await open(elf);
      expect(whole.description).toMatch(/^ELF64 vmcore/);
      expect(comparePages(dump, whole)).toBe(20544);
      execFileSync(makedumpfile!, ['-E', '-d', '31', elf, `${elf}.filtered`], { stdio: 'pipe' });
      const filtered = await open(`${elf}.filtered`);
      const kept = comparePages(filtered, dump);
      let excluded = 0;
      for (const { first, end, state } of filtered.runs()) {
        if (state === 'excluded') excluded += end - first;
      }
      expect(kept).toBeGreaterThan(5_000);
      expect(kept + excluded).toBe(20544);
      expect(filtered.vmcoreinfo).toBe(dump.vmcoreinfo);
      // The same filter as KDUMP: what the ELF file leaves out beyond that is zeros.
      execFileSync(makedumpfile!, ['-c', '-d', '31', elf, `${elf}.kdump`], { stdio: 'pipe' });
      const kdump = await open(`${elf}.kdump`);
      for (const { first, end, state } of kdump.runs()) {
        for (let pfn = first; state === 'stored' && pfn < end; pfn++) {
          const page = filtered.readPage(pfn).bytes ?? new Uint8Array(4096);
          expectEqual(page, kdump.readPage(pfn).bytes!);
        }
      }
    },
  );
});

/** An ELF core of all pages, program headers at 64: makedumpfile takes no other place. */
function elfOf(dump: Dump): Uint8Array {
  const runs = [...dump.runs()].filter(({ state }) => state === 'stored');
  const notes = encodeNotes(dump.notes);
  const size = 64 + 56 * (runs.length + 1) + notes.length;
  const dataAt = Math.ceil(size / 4096) * 4096;
  const pages = runs.reduce((sum, { first, end }) => sum + end - first, 0);
  const file = Buffer.alloc(dataAt + pages * 4096);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(4, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(runs.length + 1, 56);
  const phdr = (index: number, type: number, ...values: readonly number[]): void => {
    file.writeUInt32LE(type, 64 + 56 * index);
    for (const [at, value] of values.entries()) {
      file.writeBigUInt64LE(BigInt(value), 64 + 56 * index + 8 + 8 * at);
    }
  };
  phdr(0, 4, size - notes.length, 0, 0, notes.length, notes.length);
  file.set(notes, size - notes.length);
  let at = dataAt;
  for (const [index, { first, end }] of runs.entries()) {
    const length = (end - first) * 4096;
    phdr(index + 1, 1, at, 0, first * 4096, length, length);
    for (let pfn = first; pfn < end; pfn++, at += 4096) file.set(dump.readPage(pfn).bytes!, at);
  }
  return file;
}

test('our own LKCD and KDUMP of the default machine hold the same pages', async () => {
  const dump = await openFixture();
  const lkcd = new MemorySink();
  writeLkcd(lkcd, contentOf(dump), { compression: 'rle', level: 0, codecs });
  const path = join(folder, 'own.lkcd');
  writeFileSync(path, lkcd.bytes());
  const kdump = save(join(folder, 'own.zstd'), (sink) => {
    writeKdump(sink, contentOf(dump), { compression: 'zstd', level: 31, codecs });
  });
  const read = await open(path);
  expect(comparePages(dump, read)).toBe(comparePages(await open(kdump), read));
  expect(read.vmcoreinfo).toBe(dump.vmcoreinfo);
});
