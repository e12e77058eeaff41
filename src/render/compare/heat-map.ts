/** Which method survives what: a cell for each, with its count and a shade. */

import type { Rate, Summary } from '../../compare/summary.ts';
import { verdictClasses } from '../../trial/verdict-classes.ts';
import { writable } from '../markup.ts';
import type { Chart, ChartLayer } from './chart.ts';
import {
  chartRows,
  chartWidth,
  labelSize,
  labelText,
  labelWidth,
  legendLook,
  rowHeight,
  rowLabels,
  rowLabelsWidth,
  rowScale,
} from './chart-rows.ts';
import { percent, rateText } from './tables.ts';

/** A method, and what it was tried on. */
export interface HeatCell extends Rate {
  readonly method: string;
  readonly value: string;
}

/** By share of complete dumps, none first; how they look is `page-style.ts`. */
const shades = ['none', 'under 25 %', '25 to 49 %', '50 to 74 %', '75 % and more', 'all'] as const;
const unknown = 'no trial counts';
type Shade = (typeof shades)[number] | typeof unknown;
const everyShade: readonly Shade[] = [...shades, unknown];

const widest = 110;
/** Steeper than this is not read. */
const slope = 32;
const between = 8;

/** The axes that the cells are given by: what was crashed, in words. */
export function heatMap(
  title: string,
  cells: readonly HeatCell[],
  { methods, level }: Pick<Summary, 'methods' | 'level'>,
): Chart {
  const rows = chartRows(methods);
  const values = [...new Set(cells.map(({ value }) => value))];
  const labels = values.map(labelText);
  const left = rowLabelsWidth(rows);
  const step = Math.min(widest, Math.floor((chartWidth - left) / Math.max(1, values.length)));
  const label = labelWidth(labels);
  const isFlat = label + between <= step;
  const radians = (slope * Math.PI) / 180;
  const beyond = Math.ceil(label * Math.cos(radians) - step / 2);
  const width = step * values.length;
  const x = columnPlace(values.length);
  return {
    title,
    description: cells.map((cell) => `${cell.method} ${cell.value} ${countText(cell)}`).join(', '),
    spec: {
      width,
      height: rowHeight * rows.length,
      padding: {
        left,
        top: isFlat ? 26 : Math.ceil(label * Math.sin(radians)) + 22,
        right: Math.max(isFlat ? 4 : beyond, chartWidth - left - width),
        bottom: 50,
      },
      layer: [
        ...rowLabels(rows),
        columnLabels(labels, x, isFlat ? 0 : -slope),
        ...cellLayers(cells, values, x, rowScale(rows), level),
      ],
    },
  };
}

function columnPlace(count: number) {
  const domain = Array.from({ length: count }, (_, at) => `c${at}`);
  const scale = { domain, paddingInner: 0.06, paddingOuter: 0.03 };
  return { field: 'column', type: 'ordinal', axis: null, scale } as const;
}

type ColumnPlace = ReturnType<typeof columnPlace>;

function columnLabels(labels: readonly string[], x: ColumnPlace, angle: number): ChartLayer {
  return {
    data: { values: labels.map((text, at) => ({ column: `c${at}`, text })) },
    mark: {
      type: 'text',
      aria: false,
      angle,
      align: angle === 0 ? 'center' : 'left',
      baseline: 'alphabetic',
      fontSize: labelSize,
      fill: 'var(--ink)',
    },
    encoding: { x, y: { value: -8 }, text: { field: 'text', type: 'nominal' } },
  };
}

function cellLayers(
  cells: readonly HeatCell[],
  values: readonly string[],
  x: ColumnPlace,
  scale: ReturnType<typeof rowScale>,
  level: number,
): ChartLayer[] {
  const marks = cells.map((cell) => {
    const shade = shadeOf(cell);
    return {
      row: cell.method,
      column: `c${values.indexOf(cell.value)}`,
      shade,
      ink: `var(--on-shade-${everyShade.indexOf(shade)})`,
      text: countText(cell),
      said: writable(cellText(cell, level)),
    };
  });
  const place = { x, y: { field: 'row', type: 'ordinal', scale, axis: null } } as const;
  const range = everyShade.map((_, at) => `var(--shade-${at})`);
  return [
    {
      data: { values: marks },
      mark: { type: 'rect', stroke: 'var(--line)', strokeWidth: 1 },
      encoding: {
        ...place,
        fill: {
          field: 'shade',
          type: 'nominal',
          scale: { domain: [...everyShade], range },
          legend: shadeLegend,
        },
        description: { field: 'said', type: 'nominal' },
      },
    },
    {
      data: { values: marks },
      mark: { type: 'text', aria: false, fontSize: labelSize, baseline: 'middle' },
      encoding: {
        ...place,
        fill: { field: 'ink', type: 'nominal', scale: null },
        text: { field: 'text', type: 'nominal' },
      },
    },
  ];
}

const shadeLegend = {
  ...legendLook,
  orient: 'bottom',
  offset: 16,
  symbolType: 'square',
  symbolSize: 220,
  symbolStrokeColor: 'var(--line)',
} as const;

function shadeOf({ k, n }: Rate): Shade {
  if (n === 0) return unknown;
  if (k === n) return 'all';
  return shades[k === 0 ? 0 : 1 + Math.floor((4 * k) / n)]!;
}

function countText({ k, n }: Rate): string {
  return n === 0 ? '–' : `${k}/${n}`;
}

function cellText({ method, value, k, n, interval, classes }: HeatCell, level: number): string {
  const counts = verdictClasses.flatMap((name) => {
    return classes[name] > 0 ? [`${name} ${classes[name]}`] : [];
  });
  const rate = n === 0 ? unknown : `${k} of ${n}: ${rateText(k / n, interval)}`;
  const sure = n === 0 ? '' : ` (${percent(level)}, Wilson)`;
  return `${method}, ${value}\n${rate}${sure}\n${counts.join(', ')}`;
}
