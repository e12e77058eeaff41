/** Lines of trials that nobody ran. */

import type { TrialLine } from '../../src/compare/trial-line.ts';

export function trialLine(changes: Partial<TrialLine> = {}): TrialLine {
  return {
    schema: 'trial/1',
    method: 'kexec',
    scenario: 'panic-idle',
    seed: 1,
    image: 'panic',
    point: 'process',
    crash: 'panic',
    load: 'idle',
    level: 0,
    compression: 'zlib',
    hardware: null,
    trigger: null,
    machine: null,
    faults: [],
    verdict: 'complete',
    reason: 'all pages are there and equal',
    failed: null,
    dumpNs: 1e9,
    bytes: 4096,
    ...changes,
  };
}

/** What a method that stopped in a stage leaves. */
export function failedAt(
  stage: string,
  kind: string | null,
  object: string | null,
): Pick<TrialLine, 'verdict' | 'reason' | 'failed' | 'bytes'> {
  const failed = { stage, kind, object, cause: null };
  return { verdict: 'none', reason: `ended in ${stage}`, failed, bytes: null };
}
