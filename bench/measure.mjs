/** One run of a program: wall time, and peak memory from /proc (Linux), sampled while it runs. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const sampleMs = 5;

/**
 * Resolves to seconds, peak resident megabytes and what the program printed. Rejects if it fails:
 * the time of a program that did not do its work says nothing.
 */
export function measure(program, words) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let peakKb = 0;
    const sampler = setInterval(() => {
      peakKb = Math.max(peakKb, highWaterKb(child.pid));
    }, sampleMs);
    const output = [];
    const errors = [];
    child.stdout.on('data', (bytes) => output.push(bytes));
    child.stderr.on('data', (bytes) => errors.push(bytes));
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(sampler);
      const seconds = (performance.now() - start) / 1000;
      const text = Buffer.concat(output).toString();
      if (status === 0) resolve({ seconds, megabytes: peakKb / 1024, text });
      else reject(new Error(`${program} ${words.join(' ')}: ${status} ${Buffer.concat(errors)}`));
    });
  });
}

/** VmHWM of a process; 0 when it has just gone. */
function highWaterKb(pid) {
  try {
    return Number(
      /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0,
    );
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

/** The run with the median wall time of `count`, with the highest peak of all. */
export async function median(count, program, words) {
  const runs = [];
  for (let run = 0; run < count; run++) runs.push(await measure(program, words));
  const megabytes = Math.max(...runs.map((run) => run.megabytes));
  runs.sort((a, b) => a.seconds - b.seconds);
  return { ...runs[runs.length >> 1], megabytes };
}
