/**
 * Coverage-guided fuzzing of the readers, by hand:
 *
 *     npm run fuzz -- --reader kdump --seconds 600 --seed 1
 *
 * It starts from the recipes, from what our writers write, and from test/fuzz/corpus, and leaves
 * there what is worth starting from. Each finding is printed as a recipe, and the status is 1 where
 * there is any: a bug is mended with that recipe, under the name of its cause, in test/recipes. The
 * same seed and corpus make the same runs; `--runs` ends after so many.
 *
 * No library does this here: Jazzer.js 4 is built for newer systems than ours (glibc 2.38), and its
 * older versions fetch what they need from outside the registry.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { preparedCodecs } from '../recipes/recipes.ts';
import type { Progress } from './loop.ts';
import { readersWith } from './readers.ts';

/** What the worker is to do. */
export interface Task {
  readonly reader: string;
  readonly seed: number;
  readonly seconds: number;
  readonly runs: number;
  /** What to start from: see corpus.ts. */
  readonly corpus: string;
  /** What runs now, as text up to a NUL; and how many runs there were. */
  readonly shown: SharedArrayBuffer;
  readonly beats: SharedArrayBuffer;
}

/** What the worker says. */
export type Message =
  | { readonly kind: 'finding'; readonly text: string; readonly why: string }
  | { readonly kind: 'progress'; readonly seconds: number; readonly progress: Progress }
  | { readonly kind: 'end'; readonly corpus: string };

/** A run of this length hangs. */
const hangMilliseconds = 30_000;
/** Of the heap; arrays of bytes are measured run by run. */
const maxHeapMegabytes = 384;

const { values } = parseArgs({
  options: {
    reader: { type: 'string', default: 'all' },
    seconds: { type: 'string', default: '600' },
    runs: { type: 'string', default: 'Infinity' },
    seed: { type: 'string', default: '1' },
    corpus: { type: 'string', default: 'test/fuzz/corpus' },
    findings: { type: 'string', default: 'dist-fuzz/findings' },
  },
});
const known = [...readersWith(await preparedCodecs()).keys()];
const chosen = values.reader === 'all' ? known : values.reader.split(',');
const strangers = chosen.filter((name) => !known.includes(name));
if (strangers.length > 0) throw new Error(`no reader ${strangers}: known are ${known.join(', ')}`);
for (const folder of [values.corpus, values.findings]) mkdirSync(folder, { recursive: true });
for (const reader of chosen) {
  if ((await fuzzReader(reader)) > 0) process.exitCode = 1;
}

/** How many findings there were. */
async function fuzzReader(reader: string): Promise<number> {
  const shown = new SharedArrayBuffer(64 * 1024);
  const beats = new SharedArrayBuffer(4);
  const limits = { seconds: Number(values.seconds), runs: Number(values.runs) };
  const corpusFile = join(values.corpus, `${reader}.txt`);
  const corpus = existsSync(corpusFile) ? readFileSync(corpusFile, 'utf8') : '';
  const task: Task = { reader, seed: Number(values.seed), ...limits, corpus, shown, beats };
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMegabytes },
  });
  let findings = 0;
  const report = (text: string, why: string): void => {
    findings++;
    const file = join(values.findings, `${reader}-${values.seed}-${findings}.txt`);
    writeFileSync(file, `${text}\n# ${why.replaceAll('\n', '\n# ')}\n`);
    console.log(`${reader}: FINDING ${file}\n${text}${why}\n`);
  };
  const running = (): string => {
    const text = new TextDecoder().decode(new Uint8Array(shown).slice());
    return text.slice(0, text.indexOf('\0'));
  };
  let last = -1;
  const watchdog = setInterval(() => {
    const now = Atomics.load(new Int32Array(beats), 0);
    if (now === last && now > 0) {
      report(running(), `hangs for more than ${hangMilliseconds} ms`);
      void worker.terminate();
    }
    last = now;
  }, hangMilliseconds);
  worker.on('message', (message: Message) => {
    if (message.kind === 'finding') report(message.text, message.why);
    else if (message.kind === 'progress') console.log(`${reader}: ${progressLine(message)}`);
    else writeFileSync(corpusFile, message.corpus);
  });
  worker.on('error', (error) => report(running(), error.stack ?? String(error)));
  await new Promise((resolve) => worker.on('exit', resolve));
  clearInterval(watchdog);
  return findings;
}

function progressLine({ seconds, progress }: Message & { readonly kind: 'progress' }): string {
  const { runs, opened, features, corpus, slowest, mostBytes, resident } = progress;
  const rate = Math.round(runs / Math.max(1, seconds));
  return (
    `${seconds} s, ${runs} runs (${rate}/s), ${opened} opened, ${features} features, ` +
    `corpus ${corpus}, slowest ${slowest.toFixed(0)} ms, most ${megabytes(mostBytes)}, ` +
    `resident ${megabytes(resident)}`
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
