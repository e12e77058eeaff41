/** A comparison for programs: `docs/reference/json/compare-1.json`. */

import type { Json, Missing } from '../../analyze/command.ts';
import { type CompareReport, isAccepted, isWhole } from '../../compare/report.ts';
import { dataEnvelope, type Envelope, type Origin } from '../envelope.ts';

export function compareEnvelope(origin: Origin, report: CompareReport): Envelope {
  const { due, summary } = report;
  const missing: Missing[] = isWhole(report)
    ? []
    : [{ what: 'trials', count: due - summary.trials, why: 'they were not run yet' }];
  const data = { accepted: isAccepted(report), ...report };
  return dataEnvelope(origin, JSON.parse(JSON.stringify(data)) as Json, missing);
}
