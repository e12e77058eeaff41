/**
 * `tsdump compare` with one worker and with two, in turn: trials a second, memory of the whole
 * process, and what a trial costs at the beginning of a campaign and at its end. Goals: two workers
 * on two cores do 1.8 times as much, one more takes less than 60 MB, cost stays flat. `npm run
 * bench -- compare --trials 100000` runs as many.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { cpuSeconds, highWaterKb } from './measure.mjs';

const program = join(dirname(fileURLToPath(import.meta.url)), '../bin/tsdump.js');
const methods = ['kexec', 'mkdump', 'diskdump', 'lkcd-disk', 'netdump', 'hypervisor'];
/** One, so that a trial at the end is as long as one at the beginning; its seeds differ. */
const scenario = 'busy-writer';
const goals = { speedUp: 1.8, megabytes: 60 };
const sampleMs = 50;
/** Set-up and caches are behind it. */
const warm = 0.1;

/** Runs a campaign; samples are of trials that are done, seconds, CPU seconds. */
async function run(file, jobs, seeds) {
  const words = ['compare', '--quiet', '--force', '-o', file, '--jobs', String(jobs)];
  const what = ['--methods', methods.join(','), '--scenarios', scenario];
  const child = spawn(process.execPath, [program, ...words, ...what, '--seeds', String(seeds)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const start = performance.now();
  const samples = [];
  let peakKb = 0;
  const sampler = setInterval(() => {
    peakKb = Math.max(peakKb, highWaterKb(child.pid));
    const seconds = (performance.now() - start) / 1000;
    samples.push({ trials: linesIn(file) - 1, seconds, cpu: cpuSeconds(child.pid) });
  }, sampleMs);
  const [status] = await once(child, 'exit');
  clearInterval(sampler);
  if (status !== 0) throw new Error(`tsdump compare: ${status}`);
  const total = seeds * methods.length;
  return { total, peakKb, samples: samples.filter(({ trials, cpu }) => trials > 0 && cpu > 0) };
}

function linesIn(file) {
  try {
    return readFileSync(file, 'latin1').split('\n').length - 1;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** Between two shares of all trials. */
function between({ samples, total }, from, to) {
  const at = (share) => samples.findLast(({ trials }) => trials <= share * total) ?? samples[0];
  const [first, last] = [at(from), at(to)];
  const trials = last.trials - first.trials;
  return {
    perSecond: trials / (last.seconds - first.seconds),
    cpuMs: ((last.cpu - first.cpu) * 1000) / trials,
  };
}

export async function benchCompare(folder, trials) {
  const file = join(folder, 'compare.ndjson');
  const seeds = Math.max(4, Math.ceil(trials / methods.length));
  const table = new Table({
    head: ['workers', 'trials a second', 'CPU ms a trial', 'at the end, of the beginning', 'MB'],
    style: { head: [], border: [] },
  });
  const found = [];
  for (const jobs of [1, 2]) {
    const measured = await run(file, jobs, seeds);
    const { perSecond, cpuMs } = between(measured, warm, 1);
    const growth = between(measured, 0.75, 1).cpuMs / between(measured, warm, 0.35).cpuMs;
    const megabytes = measured.peakKb / 1024;
    const words = [perSecond.toFixed(1), cpuMs.toFixed(1), growth.toFixed(2), megabytes.toFixed(0)];
    table.push([jobs, ...words]);
    found.push({ perSecond, megabytes });
  }
  const [one, two] = found;
  const speedUp = two.perSecond / one.perSecond;
  const more = two.megabytes - one.megabytes;
  const met = (isMet) => (isMet ? 'yes' : 'NO');
  const count = seeds * methods.length;
  console.log(`\ntsdump compare, ${count} trials of ${scenario} by ${methods.join(', ')}`);
  console.log(table.toString());
  console.log(
    [
      `load ${loadavg()[0].toFixed(1)} on ${availableParallelism()} CPUs`,
      `two workers do ${speedUp.toFixed(2)} times as much: goal ${goals.speedUp} met: ` +
        met(speedUp >= goals.speedUp),
      `the second takes ${more.toFixed(0)} MB: goal ${goals.megabytes} met: ` +
        met(more <= goals.megabytes),
    ].join('\n'),
  );
}
