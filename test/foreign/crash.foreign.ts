/**
 * Foreign programs read what we write: the default machine is captured to every format and packing
 * that crash knows, and Debian's crash, with the kernel's debug symbols, must find in it what we
 * find. crash 8.0.2 is no witness for tasks on these kernels, so it is asked for the system, the
 * log, the panic task's backtrace, a memory read and an address translation.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { commands } from '../../src/analyze/table.ts';
import { hex16 } from '../../src/bytes/text.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { openFile } from '../support/fixture.ts';
import { askCrash, located } from '../support/foreign.ts';
import { openPanic } from '../support/machines.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const image = 'null-process';
const folder = mkdtempSync(join(tmpdir(), 'tsdump-foreign-'));

const written = [
  { method: 'lkcd-disk', compress: 'zlib', file: 'disk.lkcd' },
  { method: 'lkcd-mem', compress: 'zlib', file: 'mem.lkcd' },
  { method: 'mkdump', compress: 'none', file: 'none.lkcd' },
  { method: 'mkdump', compress: 'rle', file: 'rle.lkcd' },
  { method: 'mkdump', compress: 'zlib', file: 'zlib.lkcd' },
  { method: 'kexec', compress: 'zlib', file: 'zlib.kdump' },
  { method: 'kexec', compress: 'zstd', file: 'zstd.kdump' },
] as const;

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const makedumpfile = findProgram('makedumpfile');
const readelf = findProgram('readelf');

let kernel: Kernel;

beforeAll(async () => {
  kernel = openKernel(await openPanic(image));
  const program = join(root, 'bin/tsdump.js');
  for (const { method, compress, file } of written) {
    const words = ['capture', '--method', method, '--compress', compress, '-o', join(folder, file)];
    const run = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`capture to ${file}: ${run.stderr}${run.stdout}`);
  }
});

afterAll(() => {
  kernel.dump.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(of: Kernel, name: string): Promise<string[]> {
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) throw new Error(`no command ${name}`);
  const { run } = await command.load();
  return [...run(of, [], {}, { input: image }).text()].join('\n').split('\n');
}

interface Frame {
  readonly name: string;
  readonly address: string;
}

function framesOf(text: string): Frame[] {
  const found = text.matchAll(/^ *#\d+ \[\w+\] (\S+) at (\w+)/gm);
  return [...found].map((match) => ({ name: match[1] ?? '', address: match[2] ?? '' }));
}

const wordsToRead = 8;
/** Page frames of the crash kernel's region of the panic images. */
const ownRegion = { first: 0x4000 };

function wordsAt(address: bigint): string[] {
  const indexes = [...Array(wordsToRead).keys()];
  return indexes.map((index) => hex16(kernel.memory.u64(address + BigInt(8 * index))));
}

function wordsOf(text: string | undefined): (string | undefined)[] {
  return [...(text ?? '').matchAll(/ ([0-9a-f]{16})(?= )/g)].map((match) => match[1]);
}

function wordIn(physical: bigint): string {
  return hex16(kernel.physical.u64(physical));
}

/** Two words each of pages from all over the machine's memory: the truth is the machine's. */
function placesAllOver(): bigint[] {
  const pfns: number[] = [];
  for (const { first, end, state } of kernel.dump.runs()) {
    const isThere = state === 'stored' || state === 'zero';
    // What the capture kernel lives in is its own.
    for (let pfn = first; isThere && pfn < Math.min(end, ownRegion.first); pfn++) pfns.push(pfn);
  }
  const step = Math.floor(pfns.length / 60);
  return pfns.filter((_, at) => at % step === 7).map((pfn) => BigInt(pfn) * 4096n + 0x7f0n);
}

const isComparable = crash !== undefined && symbols !== undefined;
const name = isComparable ? 'crash opens $file' : 'skipped: no crash with debug symbols for $file';

if (!isComparable) console.warn('skipped: no crash with debug symbols here to read what we write');
if (makedumpfile === undefined) console.warn('skipped: no makedumpfile here');
if (readelf === undefined) console.warn('skipped: no readelf here');

describe.skipIf(!isComparable).concurrent('crash reads what we write', () => {
  test.for(written)(name, async ({ file }) => {
    const banner = kernel.symbol('linux_banner').address;
    const places = placesAllOver();
    const [sys, log, bt, rd, vtop, ...words] = await askCrash({
      crash: crash!,
      words: [...(file.endsWith('.lkcd') ? located(kernel) : []), symbols!, join(folder, file)],
      questions: [
        'sys',
        'log',
        'bt',
        `rd ${banner.toString(16)} ${wordsToRead}`,
        `vtop ${banner.toString(16)}`,
        ...places.map((physical) => `rd -p ${physical.toString(16)} 2`),
      ],
      commandFile: join(folder, `${file}.commands`),
    });
    const field = (text: string, key: string): string | undefined =>
      new RegExp(`^ *${key}: (.*)$`, 'm').exec(text)?.[1];
    const ourSys = (await ask(kernel, 'sys')).join('\n');
    for (const key of ['DATE', 'UPTIME', 'NODENAME', 'RELEASE', 'VERSION', 'MEMORY', 'PANIC']) {
      expect(`${key} ${field(sys ?? '', key)}`).toBe(`${key} ${field(ourSys, key)}`);
    }
    expect((log ?? '').trimEnd().split('\n')).toEqual(await ask(kernel, 'log'));
    // 8.0.2 leaves out the innermost frame and, as it does not use ORC, shows stale ones between.
    const theirs = framesOf(bt ?? '');
    const [, ...ours] = framesOf((await ask(kernel, 'bt')).join('\n'));
    expect(ours.length).toBeGreaterThan(7);
    expect(theirs).toEqual(expect.arrayContaining(ours));
    expect(wordsOf(rd)).toEqual(wordsAt(banner));
    const found = words.map((text, index) => `${places[index]} ${wordsOf(text).join(' ')}`);
    expect(found).toEqual(places.map((at) => `${at} ${[at, at + 8n].map(wordIn).join(' ')}`));
    const { physical } = kernel.memory.translate(banner);
    expect(vtop).toMatch(new RegExp(`^${banner.toString(16)} +${physical.toString(16)} *$`, 'm'));
  });
});

describe('makedumpfile and readelf', () => {
  const source = join(folder, 'zlib.kdump');
  const filtered = join(folder, 'filtered.kdump');

  test.skipIf(makedumpfile === undefined)('makedumpfile filters our KDUMP once more', async () => {
    const run = spawnSync(makedumpfile ?? '', ['-c', '-d', '31', source, filtered]);
    expect(`${run.stdout}${run.stderr}`).toContain('makedumpfile Completed');
    const again = openKernel(await openFile(filtered));
    expect(again.dump.level).toBe(31);
    expect(await ask(again, 'log')).toEqual(await ask(kernel, 'log'));
    expect(await ask(again, 'bt')).toEqual(await ask(kernel, 'bt'));
    again.dump.close();
  });

  test.skipIf(makedumpfile === undefined)('makedumpfile finds the log in our KDUMP', async () => {
    const text = join(folder, 'dmesg.txt');
    const run = spawnSync(makedumpfile ?? '', ['--dump-dmesg', source, text]);
    expect(`${run.stdout}${run.stderr}`).toContain('makedumpfile Completed');
    const lines = readFileSync(text, 'utf8').trimEnd().split('\n');
    expect(lines).toEqual(await ask(kernel, 'log'));
  });

  test.skipIf(readelf === undefined)('readelf knows every note of our KDUMP', () => {
    const elf = join(folder, 'notes.elf');
    writeFileSync(elf, elfOfNotes(readFileSync(source)));
    const { stdout } = spawnSync(readelf ?? '', ['-n', elf], { encoding: 'utf8' });
    expect(stdout.match(/CORE .*NT_PRSTATUS/g)?.length).toBe(2);
    expect(stdout).toMatch(/VMCOREINFO/);
  });
});

/** An ELF core with only the notes of a KDUMP file (offset_note, size_note of its sub header). */
function elfOfNotes(kdump: Buffer): Buffer {
  const subHeader = kdump.readInt32LE(428);
  const offset = Number(kdump.readBigInt64LE(subHeader + 48));
  const size = Number(kdump.readBigUInt64LE(subHeader + 56));
  const headers = Buffer.alloc(64 + 56);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(headers);
  headers.writeUInt16LE(4, 16); // ET_CORE
  headers.writeUInt16LE(62, 18); // EM_X86_64
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(64n, 32); // e_phoff
  headers.writeUInt16LE(64, 52);
  headers.writeUInt16LE(56, 54);
  headers.writeUInt16LE(1, 56);
  headers.writeUInt32LE(4, 64); // PT_NOTE
  headers.writeBigUInt64LE(120n, 72);
  headers.writeBigUInt64LE(BigInt(size), 96);
  headers.writeBigUInt64LE(BigInt(size), 104);
  return Buffer.concat([headers, kdump.subarray(offset, offset + size)]);
}
