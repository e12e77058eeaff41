/**
 * Coverage-guided fuzzing of one reader: edits that made it execute something new are kept, reduced
 * to what is needed for that, and are where the next edits start from.
 */

import type { Edit } from '../recipes/edits.ts';
import { Random } from '../support/mutate.ts';
import type { Entry } from './corpus.ts';
import { type Base, damaged, mutated } from './damage.ts';
import type { Reader } from './readers.ts';

/** What no input of a few megabytes may need; `resident`: what all of them may leave behind. */
const limits = { milliseconds: 1000, arrayBytes: 64 * 1024 * 1024, resident: 1024 ** 3 } as const;
/** A slow input is measured again before it counts: it may have paid for others' garbage. */
const measurements = 3;
const largeFile = 512 * 1024;

export interface Finding extends Entry {
  readonly error: unknown;
}

export interface Progress {
  readonly runs: number;
  readonly opened: number;
  readonly features: number;
  readonly corpus: number;
  /** Milliseconds of the processor, and bytes in arrays. */
  readonly slowest: number;
  readonly mostBytes: number;
  readonly resident: number;
}

export interface Watch {
  /** Before each run: what runs now. */
  onRun(entry: Entry): void;
  onFinding(finding: Finding): void;
  /** After each run; false ends the loop. */
  onProgress(progress: Progress): boolean;
  /** What was executed since the last call. */
  features(): readonly number[];
}

export class Loop {
  readonly #reader: Reader;
  readonly #bases: readonly Base[];
  readonly #random: Random;
  readonly #watch: Watch;
  #seen = new Set<number>();
  #corpus: Entry[] = [];
  readonly #reasons = new Set<string>();
  #runs = 0;
  #opened = 0;
  #slowest = 0;
  #mostBytes = 0;
  #resident = 0;

  constructor(reader: Reader, bases: readonly Base[], seed: number, watch: Watch) {
    this.#reader = reader;
    this.#bases = bases;
    this.#random = new Random(Math.imul(seed, 0x9e3779b1));
    this.#watch = watch;
  }

  /** Goes on until it is stopped; `known`: where to start from, beside the bases. */
  async run(known: readonly Entry[]): Promise<void> {
    await this.#start(known);
    do {
      const parent = this.#parent();
      const base = this.#bases[parent.base]!;
      const other = this.#random.pick(this.#corpus);
      const edits = mutated(base, parent.edits, other.edits, this.#random);
      await this.#try({ base: parent.base, edits });
    } while (this.#watch.onProgress(this.#progress()));
  }

  /** The entries that are needed to execute all that was executed; those with few edits first. */
  async smallest(): Promise<readonly Entry[]> {
    const found = this.#corpus.toSorted((a, b) => a.edits.length - b.edits.length);
    await this.#start(found);
    return this.#corpus;
  }

  async #start(known: readonly Entry[]): Promise<void> {
    this.#seen = new Set();
    this.#corpus = [];
    for (let base = 0; base < this.#bases.length; base++) {
      const entry = { base, edits: [] };
      this.#learn(await this.#execute(entry));
      this.#corpus.push(entry);
    }
    for (const entry of known) await this.#try(entry);
  }

  /** Keeps the entry if anything is new. */
  async #try(entry: Entry): Promise<void> {
    const features = await this.#execute(entry);
    const news = features.filter((feature) => !this.#seen.has(feature));
    if (news.length === 0) return;
    const edits = await this.#needed(entry, news);
    this.#corpus.push({ ...entry, edits });
    this.#learn(features);
  }

  /** One of the newest, or any; large files are slow and have their turn less often. */
  #parent(): Entry {
    const corpus = this.#corpus;
    const newest = Math.ceil(corpus.length / 4);
    for (;;) {
      const isNew = this.#random.below(2) === 0;
      const at = isNew ? corpus.length - 1 - this.#random.below(newest) : undefined;
      const entry = corpus[at ?? this.#random.below(corpus.length)]!;
      const isLarge = this.#bases[entry.base]!.bytes.length > largeFile;
      if (!isLarge || this.#random.below(20) === 0) return entry;
    }
  }

  #progress(): Progress {
    return {
      runs: this.#runs,
      opened: this.#opened,
      features: this.#seen.size,
      corpus: this.#corpus.length,
      slowest: this.#slowest,
      mostBytes: this.#mostBytes,
      resident: this.#resident,
    };
  }

  #learn(features: readonly number[]): void {
    for (const feature of features) this.#seen.add(feature);
  }

  /** The edits without which the news would be none. */
  async #needed(entry: Entry, news: readonly number[]): Promise<readonly Edit[]> {
    let { edits } = entry;
    for (let index = edits.length - 1; index >= 0 && edits.length > 1; index--) {
      const fewer = edits.filter((_, at) => at !== index);
      const features = new Set(await this.#execute({ ...entry, edits: fewer }));
      if (news.every((feature) => features.has(feature))) edits = fewer;
    }
    return edits;
  }

  async #execute(entry: Entry): Promise<readonly number[]> {
    this.#runs++;
    this.#watch.onRun(entry);
    try {
      const file = damaged(this.#bases[entry.base]!, entry.edits);
      if ((await this.#measured(file)) === 'opened') this.#opened++;
    } catch (error) {
      const reason = reasonOf(error);
      if (!this.#reasons.has(reason)) this.#watch.onFinding({ ...entry, error });
      this.#reasons.add(reason);
    }
    return this.#watch.features();
  }

  async #measured(file: Uint8Array): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const start = process.cpuUsage();
      const held = process.memoryUsage().arrayBuffers;
      const outcome = await this.#reader.run(file.slice());
      const { user, system } = process.cpuUsage(start);
      const taken = (user + system) / 1000;
      const { arrayBuffers, rss } = process.memoryUsage();
      const grown = arrayBuffers - held;
      this.#resident = rss;
      if (rss > limits.resident) throw new Error(`too much memory resident: ${rss} bytes`);
      if (grown > limits.arrayBytes) throw new Error(`too much memory: ${grown} bytes`);
      if (taken <= limits.milliseconds) {
        this.#slowest = Math.max(this.#slowest, taken);
        this.#mostBytes = Math.max(this.#mostBytes, grown);
        return outcome;
      }
      if (attempt === measurements) throw new Error(`too slow: ${taken} ms`);
    }
  }
}

/** Findings of one place in the code are one finding. */
function reasonOf(error: unknown): string {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const first = stack?.split('\n').find((line) => line.includes('    at '));
  return `${message.replace(/\d+/g, 'N')} ${first?.trim()}`;
}
