/**
 * What a campaign keeps of one trial: a line of NDJSON with everything that is needed to count it,
 * to rank what went wrong, and to run it again without the campaign's files.
 */

import { parseMethod } from '../capture/catalogue.ts';
import type { CompressionName } from '../codec/types.ts';
import type { CaptureReport } from '../trial/report.ts';
import type { VerdictClass } from '../trial/verdict-classes.ts';
import type { CampaignScenario, TrialJob } from './campaign.ts';

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
  readonly load: CampaignScenario['load'];
  /** What the run was: `tsdump capture --replay` needs no more. */
  readonly level: number;
  readonly compression: CompressionName;
  readonly hardware: string | null;
  readonly trigger: CampaignScenario['trigger'];
  /** A dump of the user's was the machine, in place of the image. */
  readonly machine: string | null;
  /** As on a command line; a hardware watchdog is one of them. */
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
}

/** Trials of one key are the same trial: it counts once. */
export function trialKey({
  method,
  scenario,
  seed,
}: Pick<TrialLine, 'method' | 'scenario' | 'seed'>): string {
  return `${method} ${scenario} ${seed}`;
}

/** `machine`: what a dump of the user's is called that was the machine. */
export function trialLine(job: TrialJob, report: CaptureReport, machine: string | null): TrialLine {
  const { compression, stages, saved, verdict } = report;
  return {
    ...whatItWas(job, compression, machine),
    verdict: verdict.class,
    reason: verdict.reasons[0] ?? '',
    failed: failureOf(report),
    dumpNs: (stages.at(-1)?.endNs ?? 0) - (stages[0]?.startNs ?? 0),
    bytes: saved?.bytes ?? null,
  };
}

/** Of a trial that could not begin. */
export function impossibleLine(job: TrialJob, why: Error, machine: string | null): TrialLine {
  const [compression] = parseMethod(job.method).method.compressions;
  return {
    ...whatItWas(job, compression, machine),
    verdict: 'undecidable',
    reason: `set-up: ${why.message}`,
    failed: { stage: 'set-up', kind: null, object: null, cause: why.message },
    dumpNs: 0,
    bytes: null,
  };
}

function whatItWas(
  { method, level, seed, scenario: { name, ...scenario } }: TrialJob,
  compression: CompressionName,
  machine: string | null,
) {
  const schema = 'trial/1' as const;
  return { schema, method, scenario: name, seed, ...scenario, machine, level, compression };
}

function failureOf({ failed }: CaptureReport): TrialLine['failed'] {
  if (failed === undefined) return null;
  const { name: stage, kind = null, object = null, cause = null } = failed;
  return { stage, kind, object, cause };
}
