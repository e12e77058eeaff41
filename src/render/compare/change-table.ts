/** In which scenarios methods do worse or better than in the accepted run. */

import { plural } from '../../bytes/text.ts';
import { type Count, growth } from '../../compare/changes.ts';
import type { BaselineReport } from '../../compare/report.ts';

const rowsShown = 15;

export function changeTable({ changes, methods }: BaselineReport) {
  const changed = changes
    .map((change) => ({ ...change, growth: growth(change) }))
    .filter((change) => change.growth !== 0)
    .sort((one, other) => one.growth - other.growth);
  const worse = changed.filter((change) => change.growth < 0).length;
  const hasNewSeeds = methods.some(({ test }) => test === 'new seeds');
  const better = changed.length - worse;
  const more = changed.length - rowsShown;
  return {
    title: 'Where it changed',
    note:
      `A method in a scenario, the largest fall first: ${worse} worse, ${better} better, ` +
      `${changes.length - changed.length} the same` +
      `${more > 0 ? `; ${plural(more, 'other')} in the JSON` : ''}. ` +
      (hasNewSeeds
        ? 'With new seeds chance alone changes counts: what is worse is tested above.'
        : 'The same trials ran twice.'),
    head: ['method', 'scenario', 'accepted', 'now', 'change'],
    rows: changed
      .slice(0, rowsShown)
      .map(({ method, scenario, before, after, growth: change }) => [
        method,
        scenario,
        countText(before),
        countText(after),
        signed(change, 3),
      ]),
    words: [0, 1],
    importance: 'detail' as const,
  };
}

function countText({ k, n }: Count): string {
  return `${k} of ${n}`;
}

/** With a sign for more as well as for less. */
export function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? '-' : '+'}${text}`;
}
