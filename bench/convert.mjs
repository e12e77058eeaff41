/**
 * `tsdump convert` against makedumpfile: the same ELF dump of a real guest to KDUMP, whole and
 * filtered, in the same run. Whole processes with Node's start; warm means that the input is in the
 * page cache. "Of its codec" compares with the codec alone (ours, and for makedumpfile the C
 * library) on pages of that very dump, in memory: what reading, filtering and writing leave of its
 * rate. makedumpfile does not make its file durable, as we do: one row of it is with `sync`. Goals:
 * one job not slower than makedumpfile for zlib, twice its time for LZO; two jobs 1.6 times faster
 * than one, three times faster than its two threads; zstd smaller than its zlib in a quarter of the
 * time; 400 MB of memory, however large the dump.
 */

import { execFile } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { measureCodec, measurePeers, samplePages } from './codecs.mjs';
import { measure } from './measure.mjs';
import { pathOf } from './peers.mjs';
import { makeSparse } from './sparse.mjs';

const program = join(dirname(fileURLToPath(import.meta.url)), '../bin/tsdump.js');
/** makedumpfile's own. */
const letters = { zlib: '-c', lzo: '-l', zstd: '-z' };
const run = promisify(execFile);
const dropCaches = '/proc/sys/vm/drop_caches';

/** Size in MB (10^6) and a rate in them. */
const megabytes = (file) => statSync(file).size / 1e6;
const number = (value, digits) => (value === undefined ? '-' : value.toFixed(digits));

function convertWords(input, output, { to = 'kdump', codec = 'zlib', level = 0, jobs = 1 }) {
  const words = [program, 'convert', input, output, '--to', to, '--quiet', '--force'];
  if (to === 'kdump') words.push('--compress', codec, '--level', String(level));
  return [...words, '--jobs', String(jobs)];
}

/** What commands took one after another, with the size of what they wrote. */
async function timed(output, ...commands) {
  rmSync(output, { force: true });
  const sum = { seconds: 0, cpu: 0, megabytes: 0 };
  for (const [program, ...words] of commands) {
    const run = await measure(program, words);
    sum.seconds += run.seconds;
    sum.cpu += run.cpu;
    sum.megabytes = Math.max(sum.megabytes, run.megabytes);
  }
  const size = megabytes(output);
  rmSync(output);
  return { ...sum, size };
}

const ours = (input, output, options) =>
  timed(output, [process.execPath, ...convertWords(input, output, options)]);

/** Undefined where it is not here, or was built without the codec. */
async function theirs(input, output, { codec, level, threads }, ...then) {
  const makedumpfile = pathOf('makedumpfile');
  if (makedumpfile === undefined || !(await packs(makedumpfile, codec))) return undefined;
  const words = ['--message-level', '4', letters[codec], '-d', String(level)];
  if (threads !== undefined) words.push('--num-threads', String(threads));
  return timed(output, [makedumpfile, ...words, input, output], ...then);
}

/** Without the codec it warns, and stores the pages as they are. */
async function packs(makedumpfile, codec) {
  const { stderr, stdout } = await run(makedumpfile, ['-v']);
  return !new RegExp(`^${codec}\\s+disabled`, 'm').test(stdout + stderr);
}

/**
 * Prints the tables of one guest; `dump` is any dump of it. `threads`: whether makedumpfile's own
 * threads are to be measured, which take minutes.
 */
export async function benchConvert(title, dump, folder, { threads }) {
  const input = join(folder, 'input.elf');
  const output = join(folder, 'output');
  await measure(process.execPath, convertWords(dump, input, { to: 'elf', jobs: 2 }));
  const size = megabytes(input);
  const start = performance.now();
  await measure('cp', ['--sparse=never', input, output]);
  const copied = size / ((performance.now() - start) / 1000);
  rmSync(output);
  for (const level of [0, 31]) {
    await benchLevel({ title, input, output, size, copied, level, threads });
  }
  await benchCold(title, input, output);
  rmSync(input);
}

async function benchLevel({ title, input, output, size, copied, level, threads }) {
  const head = [
    'who',
    'wall s',
    'CPU s',
    'peak MB',
    'size MB',
    'MB/s in',
    'of cp',
    'of its codec',
    'times its zlib',
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  const { packed, pages, peers } = await packedAt(level, input, output);
  let zlib;
  const row = (who, run, codec) => {
    if (run === undefined) return;
    const percent = (rate, of) => (of === undefined ? '-' : `${number((100 * rate) / of, 0)} %`);
    table.push([
      who,
      number(run.seconds, 2),
      number(run.cpu, 2),
      number(run.megabytes, 0),
      number(run.size, 1),
      number(size / run.seconds, 0),
      percent(size / run.seconds, copied),
      percent(packed / run.seconds, codec?.pack),
      zlib === undefined ? '-' : number(zlib.seconds / run.seconds, 2),
    ]);
  };
  for (const codec of ['zlib', 'lzo', 'zstd']) {
    const name = `makedumpfile ${letters[codec]} -d ${level}`;
    const peer = await theirs(input, output, { codec, level });
    if (codec === 'zlib') zlib = peer;
    row(name, peer, peers.get(codec));
    if (codec === 'zlib') {
      const run = await theirs(input, output, { codec, level }, ['sync', output]);
      row(`${name} && sync`, run, peers.get(codec));
    }
    if (codec === 'zlib' && threads) {
      const run = await theirs(input, output, { codec, level, threads: 2 });
      row(`${name} --num-threads 2`, run, peers.get(codec));
    }
    const own = await measureCodec(codec, pages);
    for (const jobs of [1, 2]) {
      const run = await ours(input, output, { codec, level, jobs });
      row(`tsdump ${codec}, --jobs ${jobs}`, run, own);
    }
  }
  const busy = `load ${number(loadavg()[0], 1)} on ${cpus().length} CPUs`;
  console.log(`\n${title}, ELF of ${number(size, 0)} MB, level ${level}, warm; ${busy}`);
  console.log(table.toString());
}

/**
 * What is to be packed at a level: MB of it, some of the pages, and how fast the C libraries pack
 * these.
 */
async function packedAt(level, input, output) {
  const words = convertWords(input, output, { codec: 'lzo', level, jobs: 2 });
  const { text } = await measure(process.execPath, [...words, '--json']);
  const { written, pageSize } = JSON.parse(text).data;
  const pages = await samplePages(output);
  rmSync(output);
  const peers = measurePeers(pages, dirname(output));
  return { packed: ((written.pages - written.zeroPages) * pageSize) / 1e6, pages, peers };
}

/** From the disk: the page cache is emptied before each run, where that is allowed. */
async function benchCold(title, input, output) {
  if (!canDrop()) {
    console.log('SKIPPED: reading from the disk: the page cache cannot be emptied here');
    return;
  }
  const options = { codec: 'zlib', level: 31 };
  const coldPeer = await theirs(input, output, options);
  canDrop();
  const cold = await ours(input, output, { ...options, jobs: 2 });
  const table = new Table({ head: ['read from the disk', 's'], style: { head: [], border: [] } });
  if (coldPeer) table.push(['makedumpfile -c -d 31', number(coldPeer.seconds, 2)]);
  table.push(['tsdump zlib, level 31, --jobs 2', number(cold.seconds, 2)]);
  console.log(`\n${title}`);
  console.log(table.toString());
}

function canDrop() {
  if (!existsSync(dropCaches)) return false;
  try {
    writeFileSync(dropCaches, '1');
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) return false;
    throw error;
  }
}

/** A dump of 1 TB that is mostly holes: memory must not grow with it. */
export async function benchSparse(folder) {
  const table = new Table({
    head: ['memory', 'pages in it', 'wall s', 'peak MB'],
    style: { head: [], border: [] },
  });
  for (const gigabytes of [1, 32, 1024]) {
    const input = join(folder, 'sparse.elf');
    const pages = makeSparse(input, gigabytes);
    const run = await ours(input, join(folder, 'output'), { codec: 'zlib', jobs: 2 });
    rmSync(input);
    table.push([
      `${gigabytes} GB`,
      String(pages),
      number(run.seconds, 2),
      number(run.megabytes, 0),
    ]);
  }
  console.log('\nThe same gigabyte of pages, spread over more and more memory, to KDUMP, two jobs');
  console.log(table.toString());
}
