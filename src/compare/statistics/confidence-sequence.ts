/**
 * An interval that holds at all times at once, so that a campaign may look after each seed and
 * stop when it is narrow enough. Of the mean of independent observations in [0, 1], whatever
 * their distribution: the predictable plug-in empirical Bernstein confidence sequence of
 * I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting"
 * (JRSS B 2024), theorem 2, with the intersection of all intervals so far.
 *
 * An observation is a seed: the share of successes of all scenarios with it, weighted by the mix.
 * The scenarios of a seed may have anything in common; seeds have not.
 */

import type { Interval } from './wilson.ts';

/** The largest bet; the paper suggests 1/2 or 3/4. */
const largestBet = 0.5;

export class ConfidenceSequence {
  readonly #logLevel: number;
  #count = 0;
  #sum = 0;
  #squares = 0;
  #bets = 0;
  #weighted = 0;
  #penalty = 0;
  #low = 0;
  #high = 1;

  constructor(level = 0.95) {
    this.#logLevel = Math.log(2 / (1 - level));
  }

  get count(): number {
    return this.#count;
  }

  get interval(): Interval {
    return { low: this.#low, high: this.#high };
  }

  /** The bet on an observation may depend on those before it only. */
  add(observation: number): void {
    const mean = this.#mean();
    const variance = (0.25 + this.#squares) / (this.#count + 1);
    this.#count++;
    const scale = variance * this.#count * Math.log(1 + this.#count);
    const bet = Math.min(largestBet, Math.sqrt((2 * this.#logLevel) / scale));
    this.#bets += bet;
    this.#weighted += bet * observation;
    // v * psi(bet), with v = 4 (x - mean)^2 and psi(bet) = (-log(1 - bet) - bet) / 4.
    this.#penalty += (observation - mean) ** 2 * (-Math.log1p(-bet) - bet);
    this.#sum += observation;
    this.#squares += (observation - this.#mean()) ** 2;
    const centre = this.#weighted / this.#bets;
    const reach = (this.#logLevel + this.#penalty) / this.#bets;
    this.#low = Math.max(this.#low, centre - reach);
    this.#high = Math.min(this.#high, centre + reach);
  }

  #mean(): number {
    return (0.5 + this.#sum) / (this.#count + 1);
  }
}
