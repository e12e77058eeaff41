/** Trials, each of them once, in the order in which they came. */

import { DumpError } from '../bytes/errors.ts';
import { type TrialLine, trialKey } from './trial-line.ts';

export class TrialSet {
  readonly #byKey = new Map<string, TrialLine>();
  #repeated = 0;

  constructor(lines: Iterable<TrialLine> = []) {
    for (const line of lines) this.add(line);
  }

  /** Lines that said the same again: a trial counts once. */
  get repeated(): number {
    return this.#repeated;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get lines(): TrialLine[] {
    return [...this.#byKey.values()];
  }

  has(trial: Parameters<typeof trialKey>[0]): boolean {
    return this.#byKey.has(trialKey(trial));
  }

  /** Throws `mismatch` for another result of a trial that is known. */
  add(line: TrialLine): void {
    const key = trialKey(line);
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, line);
    else if (JSON.stringify(known) === JSON.stringify(line)) this.#repeated++;
    else throw contradiction(known, line);
  }
}

function contradiction(one: TrialLine, other: TrialLine): DumpError {
  const { method, scenario, seed } = one;
  const [first, second] = [one, other].map((line) => `${line.verdict} (${line.reason})`);
  return new DumpError(
    'mismatch',
    `${method} in ${scenario} with seed ${seed} is both ${first} and ${second}`,
    { hint: 'the same seed has the same result: these are of different versions or images' },
  );
}
