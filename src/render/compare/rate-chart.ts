/** The rate of each method under each mix, with its interval. */

import type { Summary } from '../../compare/summary.ts';
import { writable } from '../markup.ts';
import type { Chart, ChartLayer } from './chart.ts';
import {
  chartRows,
  chartWidth,
  labelSize,
  labelText,
  legendLook,
  rowLabels,
  rowLabelsWidth,
  rowScale,
} from './chart-rows.ts';
import { percent, rateText, wholeMix } from './tables.ts';

const legend = {
  ...legendLook,
  orient: 'top',
  offset: 14,
  symbolSize: 90,
  symbolStrokeWidth: 0,
} as const;

const axis = {
  orient: 'bottom',
  title: 'share of complete dumps',
  values: [0, 0.25, 0.5, 0.75, 1] as number[],
  format: '.2f',
  gridColor: 'var(--line)',
  domainColor: 'var(--line)',
  ticks: false,
  labelColor: 'var(--soft)',
  labelFontSize: labelSize,
  labelPadding: 6,
  titleColor: 'var(--soft)',
  titleFontSize: labelSize,
  titleFontWeight: 'normal',
  titlePadding: 8,
} as const;

const mixHeight = 15;
const least = 30;

/** Colours and shapes are told apart each by itself; there is no end of mixes. */
const shapes = ['circle', 'square', 'diamond', 'triangle-up', 'triangle-down', 'cross'];

type RateMark = Record<'row' | 'mix' | 'said', string> & Record<'rate' | 'low' | 'high', number>;

export function rateChart({ methods, mixes, level }: Summary): Chart {
  const rows = chartRows(methods);
  const left = rowLabelsWidth(rows);
  const right = 24;
  const names = namesOf(mixes);
  const data = methods.flatMap(({ method, mixes: rates }) =>
    rates.flatMap(({ mix, rate, interval, covered }, at): RateMark[] => {
      if (rate === null) return [];
      const part =
        covered > wholeMix ? '' : `\n${percent(covered)} of the mix has trials that count`;
      const sure = interval === null ? '' : ` (${percent(level)}, bootstrap over panic images)`;
      const said = `${method}, mix ${mix}\n${rateText(rate, interval)}${sure}${part}`;
      const { low, high } = interval ?? { low: rate, high: rate };
      return [{ row: method, mix: names[at]!, rate, low, high, said: writable(said) }];
    }),
  );
  return {
    title: 'Rates by mix, with their intervals',
    description: data.map(({ said }) => said.replaceAll('\n', ' ')).join('; '),
    note: 'A mark is a rate, the bar its interval. Each mix has a shape; tables have the numbers.',
    spec: {
      width: chartWidth - left - right,
      height: Math.max(least, mixHeight * mixes.length + 12) * rows.length,
      padding: { left, top: 44, right, bottom: 44 },
      layer: [...rowLabels(rows), ...rateLayers(data, rowScale(rows), names)],
    },
  };
}

/** What mixes are called in the chart: no two the same. */
function namesOf(mixes: Summary['mixes']): string[] {
  const names = mixes.map(({ name }) => labelText(name));
  return names.map((name, at) => (names.indexOf(name) === at ? name : `${name} (${at + 1})`));
}

function rateLayers(
  values: RateMark[],
  scale: ReturnType<typeof rowScale>,
  names: string[],
): ChartLayer[] {
  const colours = names.map((_, at) => `var(--mix-${at % shapes.length})`);
  const mix = { field: 'mix', type: 'nominal' } as const;
  const offset = { domain: names, padding: 0.5 };
  const place = {
    y: { field: 'row', type: 'ordinal', scale, axis: null },
    yOffset: { ...mix, scale: offset },
    description: { field: 'said', type: 'nominal' },
  } as const;
  const x = { scale: { domain: [0, 1] }, axis };
  const fill = { ...mix, scale: { domain: names, range: colours }, legend };
  return [
    {
      data: { values },
      mark: { type: 'bar', height: 5, fillOpacity: 0.45, minBandSize: 5 },
      encoding: {
        ...place,
        x: { ...x, field: 'low', type: 'quantitative' },
        x2: { field: 'high' },
        fill,
      },
    },
    {
      data: { values },
      mark: { type: 'point', size: 90, stroke: 'var(--ground)', strokeWidth: 1, opacity: 1 },
      encoding: {
        ...place,
        x: { ...x, field: 'rate', type: 'quantitative' },
        fill,
        shape: { ...mix, scale: { domain: names, range: shapes }, legend },
      },
    },
  ];
}
