/** Where the time goes until an answer stands there: what `--verbose` prints. */

import { performance } from 'node:perf_hooks';

export class Phases {
  /** Milliseconds by phase, without those of the phases within it; in the order of their ends. */
  readonly #spent = new Map<string, number>();
  /** What the phases within the one that runs have taken. */
  #inner = 0;
  readonly #clock: () => number;

  /** The time from the start of this thread until now has been a phase; `clock`: since then. */
  constructor(first: string, clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#spent.set(first, clock());
  }

  /** Does the work of a phase. */
  readonly timed = <T>(phase: string, work: () => T): T => {
    const end = this.#begin(phase);
    try {
      return work();
    } finally {
      end();
    }
  };

  /** The same for work that others do meanwhile. */
  async awaited<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const end = this.#begin(phase);
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** `    81.3 ms  symbols`: what has been since the last call. */
  lines(): readonly string[] {
    const lines = Array.from(this.#spent, ([phase, milliseconds]) => {
      return `${milliseconds.toFixed(1).padStart(8)} ms  ${phase}`;
    });
    this.#spent.clear();
    return lines;
  }

  #begin(phase: string): () => void {
    const outer = this.#inner;
    const start = this.#clock();
    this.#inner = 0;
    return () => {
      const whole = this.#clock() - start;
      this.#spent.set(phase, (this.#spent.get(phase) ?? 0) + whole - this.#inner);
      this.#inner = outer + whole;
    };
  }
}
