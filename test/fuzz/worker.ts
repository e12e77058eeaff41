/** The thread that fuzzes: it may hang or run out of memory, and then the main thread tells. */

import { parentPort, workerData } from 'node:worker_threads';
import { corpusText, type Entry, parseCorpus, recipeOf } from './corpus.ts';
import { BlockCoverage } from './coverage.ts';
import type { Message, Task } from './main.ts';

const task: Task = workerData;
// Before the readers' code is loaded.
const coverage = new BlockCoverage((url) => /\/src\/(?:bytes|codec|dump|linux)\//.test(url));
const { Loop } = await import('./loop.ts');
const { readersWith } = await import('./readers.ts');
const { preparedCodecs } = await import('../recipes/recipes.ts');

const reader = readersWith(await preparedCodecs()).get(task.reader);
if (reader === undefined) throw new Error(`no reader is called ${task.reader}`);
const bases = await reader.bases();
const shown = new Uint8Array(task.shown);
const beats = new Int32Array(task.beats);
const started = performance.now();
let told = started;

const say = (message: Message): void => parentPort?.postMessage(message);
const loop = new Loop(reader, bases, task.seed, {
  features: () => coverage.take(),
  onRun(entry: Entry) {
    const { written } = new TextEncoder().encodeInto(recipeOf(entry, bases), shown);
    shown.fill(0, written, written + 1);
    Atomics.add(beats, 0, 1);
  },
  onFinding: ({ error, ...entry }) =>
    say({ kind: 'finding', text: recipeOf(entry, bases), why: reasonText(error) }),
  onProgress(progress) {
    const now = performance.now();
    const isOver = progress.runs >= task.runs || now - started >= task.seconds * 1000;
    if (isOver || now - told > 10_000) {
      told = now;
      say({ kind: 'progress', seconds: Math.round((now - started) / 1000), progress });
    }
    return !isOver;
  },
});
await loop.run(parseCorpus(task.corpus, bases));
say({ kind: 'end', corpus: corpusText(await loop.smallest(), bases) });

function reasonText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncause: ${reasonText(error.cause)}`;
  return `${error.stack}${cause}`;
}
