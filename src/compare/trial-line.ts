/**
 * What a campaign keeps of one trial: a line of NDJSON with everything that is needed to count it,
 * to rank what went wrong, and to run it again without the campaign's files.
 */

import type { CompressionName } from '../codec/types.ts';
import type { Load } from '../trial/scenario.ts';
import type { Trigger } from '../trial/trials.ts';
import type { VerdictClass } from '../trial/verdict-classes.ts';

/** Plain data, as JSON. */
export interface TrialLine {
  readonly schema: 'trial/1';
  /** `kexec`, or with a generation: `lkcd-disk:2003`. */
  readonly method: string;
  readonly scenario: string;
  readonly seed: number;
  /** Outcomes of one panic image are not independent of each other. */
  readonly image: string;
  /** Where the kernel crashed and how, where the scenario says so. */
  readonly point: string | null;
  readonly crash: string | null;
  readonly load: Load;
  /** What the run was: `tsdump capture --replay` needs no more. */
  readonly level: number;
  readonly compression: CompressionName;
  readonly hardware: string | null;
  readonly watchdog: number | null;
  readonly trigger: Trigger | null;
  /** As on a command line. */
  readonly faults: readonly string[];
  /** What became of it. */
  readonly verdict: VerdictClass;
  readonly reason: string;
  /** Of the stage that it ended in. */
  readonly failed: {
    readonly stage: string;
    readonly kind: string | null;
    readonly object: string | null;
    readonly cause: string | null;
  } | null;
  /** Virtual nanoseconds from the panic to the end of the last stage. */
  readonly dumpNs: number;
  /** Of the file; null where there is none. */
  readonly bytes: number | null;
  /** CPU time that the trial took, milliseconds: no part of its result. */
  readonly cpuMs?: number;
}

/** Trials of one key are the same trial: it counts once. */
export function trialKey({
  method,
  scenario,
  seed,
}: Pick<TrialLine, 'method' | 'scenario' | 'seed'>): string {
  return `${method} ${scenario} ${seed}`;
}
