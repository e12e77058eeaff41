/**
 * One run of a program: wall time; CPU time and peak memory from /proc (Linux), sampled while it
 * runs. The CPU time tells how busy the machine was with something else.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const sampleMs = 5;
/** USER_HZ. */
const ticksPerSecond = 100;

/**
 * Resolves to seconds until the end and until the first output, seconds of CPU time, peak resident
 * megabytes, and what the program printed. Rejects if it fails: the time of a program that did not
 * do its work says nothing.
 */
export function measure(program, words) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const since = () => (performance.now() - start) / 1000;
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let peakKb = 0;
    let cpu = 0;
    let first;
    const sampler = setInterval(() => {
      peakKb = Math.max(peakKb, highWaterKb(child.pid));
      cpu = Math.max(cpu, cpuSeconds(child.pid));
    }, sampleMs);
    const output = [];
    const errors = [];
    child.stdout.on('data', (bytes) => {
      first ??= since();
      output.push(bytes);
    });
    child.stderr.on('data', (bytes) => errors.push(bytes));
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(sampler);
      const seconds = since();
      const text = Buffer.concat(output).toString();
      if (status === 0) resolve({ seconds, first, cpu, megabytes: peakKb / 1024, text });
      else reject(new Error(`${program} ${words.join(' ')}: ${status} ${Buffer.concat(errors)}`));
    });
  });
}

/** VmHWM of a process; 0 when it has just gone. */
export function highWaterKb(pid) {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(ofProcess(pid, 'status'))?.[1] ?? 0);
}

/** Of all its threads, in user mode and in the kernel's: proc(5), /proc/PID/stat, 14 and 15. */
export function cpuSeconds(pid) {
  const [, rest = ''] = /\) (.*)/.exec(ofProcess(pid, 'stat')) ?? [];
  const [user = 0, system = 0] = rest.split(' ').slice(11, 13).map(Number);
  return (user + system) / ticksPerSecond;
}

/** Empty when it has just gone. */
function ofProcess(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
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
