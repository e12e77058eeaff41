/** What a comparison ends with, in words. */

import { plural, shellWord } from '../../bytes/text.ts';
import { type CompareReport, isAccepted, isWhole } from '../../compare/report.ts';
import type { TrialLine } from '../../compare/trial-line.ts';

/** What is not compared, what failed, and what to type next. */
export function conclusion(report: CompareReport, input: string): string[] {
  const { baseline, campaign, summary, due, requirements } = report;
  const unmet = requirements.filter(({ isMet }) => !isMet).length;
  const worse = baseline?.methods.filter(({ isWorse }) => isWorse).length ?? 0;
  const only = (names: readonly string[] = [], where: string): string[] =>
    names.length === 0 ? [] : [`not compared, only in ${where}: ${names.join(', ')}`];
  const differs = baseline?.differs ?? [];
  return [
    ...(differs.length === 0
      ? []
      : [`the accepted campaign has other ${differs.join(', ')}: what both ran is compared`]),
    ...only(baseline?.onlyBaseline, 'the accepted run'),
    ...only(baseline?.onlyCurrent, 'this run'),
    ...(isWhole(report)
      ? []
      : [`${plural(due - summary.trials, 'trial')} missing: --resume runs them`]),
    ...(isAccepted(report)
      ? []
      : [`refused: ${plural(unmet, 'requirement')} not met, ${plural(worse, 'method')} worse`]),
    `one trial again: tsdump capture --replay ${shellWord(input)}:LINE, or by its scenario and ` +
      `seed: tsdump capture --method ${campaign.methods[0]} --scenario NAME --seed N`,
  ];
}

/** Runs one trial again, with nothing of the campaign's. */
export function replayCommand(line: TrialLine): string {
  return `tsdump capture --replay ${shellWord(JSON.stringify(line))}`;
}
