/**
 * How fast pages are packed and unpacked, one a call, and how small they get: ours, and the C
 * libraries that makedumpfile uses, over the same pages of a real dump in the same run. Per second
 * of CPU time, because a page is packed where a CPU is free. Pages of zeros are left out, because
 * nobody packs them. Each page is compared with what comes back of it.
 */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { createCodecs } from '../dist/codec/codecs.js';
import { openDump } from '../dist/dump/open.js';
import { fileSource } from '../dist/host/file-source.js';
import { nodeZlib } from '../dist/host/zlib.js';
import { findProgram } from './peers.mjs';

const most = 12_000;
/** Neighbours resemble each other: some of them, then others from further up. */
const runPages = 8;
const everyRun = 13;
const rounds = 5;
const names = ['zlib', 'lzo', 'snappy', 'zstd', 'rle'];

/** Pages that are not zero, from all over a dump; from all of it where it is small. */
export async function samplePages(file) {
  const dump = await openDump(fileSource(file), { codecs: createCodecs(nodeZlib) });
  const zero = Buffer.alloc(dump.pageSize);
  const every = dump.endPfn > most * everyRun ? everyRun : 1;
  const pages = [];
  for (const { first, end, state } of dump.runs()) {
    if (state !== 'stored') continue;
    for (let pfn = first; pfn < end && pages.length < most; pfn++) {
      if (Math.floor(pfn / runPages) % every !== 0) continue;
      const { bytes } = dump.readPage(pfn);
      if (bytes !== undefined && zero.compare(bytes) !== 0) pages.push(bytes.slice());
    }
  }
  dump.close();
  return pages;
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** MB/s of `megabytes` in the best of some rounds. */
function rate(megabytes, items, work) {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = cpuSeconds();
    for (const item of items) work(item);
    best = Math.min(best, cpuSeconds() - start);
  }
  return megabytes / best;
}

/** One codec of ours: MB/s packed and unpacked, bytes packed. */
export async function measureCodec(name, pages) {
  const codecs = createCodecs(nodeZlib);
  await codecs.prepare(name);
  const codec = codecs.get(name);
  const size = pages[0].length;
  const megabytes = (pages.length * size) / 1e6;
  const packed = pages.map((page) => codec.compress(page));
  const shrunk = packed.filter((each) => each !== undefined);
  for (const [index, page] of pages.entries()) {
    if (packed[index] === undefined) continue;
    if (Buffer.compare(codec.decompress(packed[index], size), page) === 0) continue;
    throw new Error(`${codec.name}: page ${index} does not come back`);
  }
  const bytes = packed.reduce((sum, each) => sum + (each?.length ?? size), 0);
  return {
    pack: rate(megabytes, pages, (page) => codec.compress(page)),
    unpack: rate((shrunk.length * size) / 1e6, shrunk, (each) => codec.decompress(each, size)),
    bytes,
  };
}

/** The C libraries, by codec; empty where python3 is not here. */
export function measurePeers(pages, folder) {
  const python = findProgram('python3');
  if (python === undefined) return new Map();
  const file = join(folder, 'pages');
  writeFileSync(file, Buffer.concat(pages));
  const script = fileURLToPath(new URL('codecs.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [script, file, String(pages[0].length)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`codecs.py: ${stderr}`);
  const lines = stdout.trim().split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [name, ...figures] = line.split(' ');
      const [pack, unpack, bytes] = figures.map(Number);
      return [name, { pack, unpack, bytes }];
    }),
  );
}

/** Prints the table. */
export async function benchCodecs(title, file, folder) {
  const pages = await samplePages(file);
  const whole = pages.length * pages[0].length;
  const peers = measurePeers(pages, folder);
  const head = ['codec', 'packs MB/s', 'unpacks MB/s', 'size %', 'library packs', 'unpacks'];
  head.push('size %', 'packs, of the library');
  const table = new Table({ head, style: { head: [], border: [] } });
  const percent = (bytes) => ((100 * bytes) / whole).toFixed(1);
  for (const name of names) {
    const ours = await measureCodec(name, pages);
    const row = [name, ours.pack.toFixed(0), ours.unpack.toFixed(0), percent(ours.bytes)];
    const peer = peers.get(name);
    if (peer === undefined) row.push('-', '-', '-', '-');
    else {
      row.push(peer.pack.toFixed(0), peer.unpack.toFixed(0), percent(peer.bytes));
      row.push((ours.pack / peer.pack).toFixed(2));
    }
    table.push(row);
  }
  const busy = `load ${loadavg()[0].toFixed(1)} on ${cpus().length} CPUs`;
  console.log(`\nCodecs: ${pages.length} pages of ${title}, per second of CPU time; ${busy}`);
  console.log(table.toString());
}
