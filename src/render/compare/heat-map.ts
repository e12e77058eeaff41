/** Which method survives what, and where that is not as it was in the accepted run. */

import { growth, type ScenarioChange } from '../../compare/changes.ts';
import { groupBy } from '../../compare/outcomes.ts';
import type { Rate, Summary } from '../../compare/summary.ts';
import { verdictClasses } from '../../trial/verdict-classes.ts';
import { signed } from './change-table.ts';
import type { Chart } from './chart.ts';
import { type GridCell, gridChart } from './grid-chart.ts';
import { percent, rateText } from './tables.ts';

/** A method, and what it was tried on. */
export interface TriedRate extends Rate {
  readonly method: string;
  readonly value: string;
}

const rateShades = ['none', 'under 25 %', '25 to 49 %', '50 to 74 %', '75 % and more', 'all'];
const unknown = 'no trial counts';

export function rateMap(
  title: string,
  rates: readonly TriedRate[],
  { methods, level }: Pick<Summary, 'methods' | 'level'>,
): Chart {
  const cells = rates.map((rate): GridCell => {
    const { method, value, k, n } = rate;
    const text = n === 0 ? '–' : `${k}/${n}`;
    return { method, value, text, shade: rateShade(rate), said: rateSaid(rate, level) };
  });
  const note =
    'Complete dumps of the trials that count. Hold the pointer over a cell to see the rate, its ' +
    'interval and all outcomes.';
  const palette = { name: 'shade', shades: [...rateShades, unknown] };
  return gridChart({ title, note, cells, palette, methods });
}

function rateShade({ k, n }: Rate): string {
  if (n === 0) return unknown;
  if (k === n) return 'all';
  return rateShades[k === 0 ? 0 : 1 + Math.floor((4 * k) / n)]!;
}

function rateSaid({ method, value, k, n, interval, classes }: TriedRate, level: number): string {
  const counts = verdictClasses.flatMap((name) => {
    return classes[name] > 0 ? [`${name} ${classes[name]}`] : [];
  });
  const rate = n === 0 ? unknown : `${k} of ${n}: ${rateText(k / n, interval)}`;
  const sure = n === 0 ? '' : ` (${percent(level)}, Wilson)`;
  return `${method}, ${value}\n${rate}${sure}\n${counts.join(', ')}`;
}

export interface TriedChange extends ScenarioChange {
  readonly value: string;
}

/** Points of a hundred; more than so many are much. */
const much = 20;
const fell = `fell by ${much} points and more`;
const rose = `rose by ${much} and more`;
/** What is shown as 0. */
const little = 0.5;
const changeShades = [fell, 'fell', 'about the same', 'rose', rose];

/** Every scenario has the same weight: there may be more trials of some in one of the runs. */
export function changeMap(
  title: string,
  changes: readonly TriedChange[],
  { methods }: Pick<Summary, 'methods'>,
): Chart {
  const groups = groupBy(changes, ({ method, value }) => JSON.stringify([method, value]));
  const cells = [...groups.values()].map((group): GridCell => {
    const { method, value } = group[0]!;
    const points = (100 * group.reduce((sum, each) => sum + growth(each), 0)) / group.length;
    const total = (of: (change: TriedChange) => number) =>
      group.reduce((sum, each) => sum + of(each), 0);
    const before = `${total((each) => each.before.k)} of ${total((each) => each.before.n)}`;
    const after = `${total((each) => each.after.k)} of ${total((each) => each.after.n)}`;
    const said = `${method}, ${value}\n${before} before, ${after} now: ${signed(points, 1)} points`;
    return { method, value, text: signed(points, 0), shade: changeShade(points), said };
  });
  const note = 'By how much the share of complete dumps changed, in points of a hundred.';
  return gridChart({
    title,
    note,
    cells,
    palette: { name: 'change', shades: changeShades },
    methods,
  });
}

function changeShade(points: number): string {
  if (Math.abs(points) < little) return changeShades[2]!;
  if (points < 0) return points <= -much ? fell : changeShades[1]!;
  return points >= much ? rose : changeShades[3]!;
}
