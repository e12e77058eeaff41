/** How whole an answer is, in a line for people. */

import type { Answer, Missing } from '../analyze/command.ts';
import { errorLines } from './errors.ts';

/** At most so many of the failures behind a partial answer are listed; the rest is counted. */
const failuresShown = 5;

/**
 * `68 tasks, complete`, or `65 tasks, incomplete: tasks: 3 missing, page excluded`, with the
 * failures behind it.
 */
export function completenessLines(answer: Answer): string[] {
  const lines: string[] = [];
  const counted = answer.counted === undefined ? '' : `${answer.counted}, `;
  if (answer.missing.length > 0) {
    lines.push(`${counted}incomplete: ${answer.missing.map(describe).join('; ')}`);
  } else if (answer.counted !== undefined) {
    lines.push(`${counted}complete`);
  }
  const errors = answer.errors ?? [];
  for (const error of errors.slice(0, failuresShown)) lines.push(...errorLines(error));
  if (errors.length > failuresShown) lines.push(`and ${errors.length - failuresShown} more`);
  lines.push(...(answer.notes ?? []));
  return lines;
}

function describe({ what, count, why }: Missing): string {
  return count === null ? `${what}: ${why}` : `${what}: ${count} missing, ${why}`;
}
