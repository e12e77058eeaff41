/**
 * What diskdump turns to when no partition took the dump: netdump, where the machine has a network
 * card for it (fallback_on_err=1). Its stages run as if panic() had called them.
 */

import type { Machine } from '../../machine/machine.ts';
import { type CaptureTools, done, failed, type StageResult } from '../method.ts';
import { netdumpStages } from '../netdump/method.ts';
import type { DiskdumpState } from './state.ts';

/** `why`: what became of the last partition. */
export function giveUpDisks(state: DiskdumpState, why: string): StageResult {
  if (state.netdump.loaded === undefined) {
    return failed(`${why}; no netdump is configured to fall back on`, 'dump partitions');
  }
  state.fallback = why;
  return { ...done, remarks: [`${why}; netdump is what is left`] };
}

export function fallBack(machine: Machine, state: DiskdumpState, tools: CaptureTools): StageResult {
  if (state.fallback === undefined) return { ...done, remarks: ['not needed'] };
  const remarks: string[] = [];
  let result: StageResult = done;
  for (const { name, run } of netdumpStages) {
    result = run(machine, state.netdump, tools);
    remarks.push(...(result.remarks ?? []));
    if (result.result === 'ok') continue;
    return { ...result, cause: `${state.fallback}; ${name} of netdump: ${result.cause}`, remarks };
  }
  return { ...result, remarks };
}
