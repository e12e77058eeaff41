/** Keeps count of what could not be read while an answer is put together from many parts. */

import { attempt, type DumpError } from '../bytes/errors.ts';
import type { Missing } from './command.ts';

export class Gaps {
  readonly #counts = new Map<string, { count: number; why: string }>();
  readonly #errors: DumpError[] = [];

  /** What `read` gives; undefined where the dump does not hold it, counted under `what`. */
  attempt<T>(what: string, read: () => T): T | undefined {
    return attempt(read, (problem) => this.add(what, problem));
  }

  add(what: string, error: DumpError): void {
    const known = this.#counts.get(what) ?? { count: 0, why: error.message };
    this.#counts.set(what, { ...known, count: known.count + 1 });
    this.#errors.push(error);
  }

  /** One entry a kind, with the first reason. */
  get missing(): Missing[] {
    return [...this.#counts].map(([what, { count, why }]) => ({ what, count, why }));
  }

  get errors(): readonly DumpError[] {
    return this.#errors;
  }
}
