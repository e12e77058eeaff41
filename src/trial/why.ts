/**
 * Why a run failed, measured: the same run with faults left out. The draws of a fault do not depend
 * on the others, so what is left strikes as it did.
 */

import type { NumberedFault } from './faults/strike.ts';
import type { CaptureReport, Removal, Why } from './report.ts';
import type { VerdictClass } from './verdict-classes.ts';

/** At most 2n + 1 runs for n faults. `again` repeats the run with only these faults. */
export async function whyItFailed(
  faults: readonly NumberedFault[],
  nameOf: (fault: NumberedFault) => string,
  again: (faults: readonly NumberedFault[]) => Promise<CaptureReport>,
): Promise<Why> {
  const verdict = async (without: ReadonlySet<NumberedFault>): Promise<VerdictClass> =>
    (await again(faults.filter((fault) => !without.has(fault)))).verdict.class;
  const removals: Removal[] = [];
  for (const fault of faults) {
    removals.push({ fault: nameOf(fault), verdict: await verdict(new Set([fault])) });
  }
  const alone = removals.find((removal) => removal.verdict === 'complete');
  if (alone !== undefined) return { removals, smallest: [alone.fault] };
  const without = new Set(faults);
  // One fault was left out alone already.
  if (faults.length < 2 || (await verdict(without)) !== 'complete') {
    return { removals, smallest: [] };
  }
  for (const fault of faults) {
    without.delete(fault);
    if ((await verdict(without)) !== 'complete') without.add(fault);
  }
  return { removals, smallest: [...without].map(nameOf) };
}
