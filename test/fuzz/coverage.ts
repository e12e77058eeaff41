/**
 * What V8 says was executed since the last time: a number for each block of the readers' code and
 * each order of magnitude of its count. Start it before that code is loaded.
 */

import { Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Coverage {
  readonly result: readonly {
    readonly scriptId: string;
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
}

/** A script's code is shorter: offsets of a block make one number. */
const maxOffset = 2 ** 17;

export class BlockCoverage {
  readonly #session = new Session();
  readonly #scripts = new Map<string, number>();
  readonly #isOurs: (url: string) => boolean;

  constructor(isOurs: (url: string) => boolean) {
    this.#isOurs = isOurs;
    // What is compiled in optimized form counts otherwise, and when that is, nobody knows.
    setFlagsFromString('--no-opt');
    setFlagsFromString('--no-maglev');
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that ran since the last call, as `key * 32 + magnitude of count`. */
  take(): number[] {
    const features: number[] = [];
    for (const { scriptId, url, functions } of this.#post().result) {
      let script = this.#scripts.get(scriptId);
      if (script === undefined) {
        script = this.#isOurs(url) ? this.#scripts.size : -1;
        this.#scripts.set(scriptId, script);
      }
      if (script < 0) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          const block = (script * maxOffset + startOffset) * 512 + (endOffset % 512);
          features.push(block * 32 + 31 - Math.clz32(count));
        }
      }
    }
    return features;
  }

  #post(): Coverage {
    let answer: Coverage | undefined;
    // In the same thread the answer comes before the call returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error !== null) throw error;
      answer = coverage;
    });
    if (answer === undefined) throw new Error('no coverage');
    return answer;
  }
}
