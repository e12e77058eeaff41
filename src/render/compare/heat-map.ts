/** Which method survives what: a cell for each, with its count and a shade. */

import type { Rate, Summary } from '../../compare/summary.ts';
import { verdictClasses } from '../../trial/verdict-classes.ts';
import { writable } from '../markup.ts';
import type { Chart, ChartLayer } from './chart.ts';
import {
  type ChartRow,
  chartRows,
  chartWidth,
  labelSize,
  labelText,
  legendLook,
  rowHeight,
  rowLabels,
  rowLabelsWidth,
  rowScale,
  textWidth,
} from './chart-rows.ts';
import { percent, rateText } from './tables.ts';

/** A method, and what it was tried on. */
export interface HeatCell extends Rate {
  readonly method: string;
  readonly value: string;
}

/** By share of complete dumps, none first; how they look is `html-style.ts`. */
const shades = ['none', 'under 25 %', '25 to 49 %', '50 to 74 %', '75 % and more', 'all'] as const;
const unknown = 'no trial counts';
type Shade = (typeof shades)[number] | typeof unknown;
const everyShade: readonly Shade[] = [...shades, unknown];

/** Of a column: where methods would get less, they are columns themselves. */
const narrowest = 50;
const widest = 110;
const between = 3;
/** Degrees; what is steeper is not read. */
const slope = 32;
/** Of the width of a digit, by its height. */
const digit = 0.6;

interface Grid {
  readonly rows: readonly ChartRow[];
  readonly columns: readonly ChartRow[];
  /** Of a cell: its row and column. */
  placeOf(cell: HeatCell): { readonly row: string; readonly column: string };
  readonly note: string;
}

export function heatMap(
  title: string,
  cells: readonly HeatCell[],
  { methods, level }: Pick<Summary, 'methods' | 'level'>,
): Chart {
  const grid = gridOf(cells, chartRows(methods));
  const { rows, columns } = grid;
  const left = rowLabelsWidth(rows);
  const step = Math.min(widest, Math.floor((chartWidth - left) / columns.length));
  const label = textWidth(columns.map(columnText), 'text');
  const angle = label + between <= step ? 0 : slope;
  const radians = (angle * Math.PI) / 180;
  const beyond = angle === 0 ? 4 : Math.ceil(label * Math.cos(radians) - step / 2);
  const width = step * columns.length;
  const height = rowHeight * rows.length;
  const x = columnPlace(columns);
  const legend = { ...shadeLegend, legendX: 10 - left, legendY: height + 18 };
  return {
    title,
    description: cells.map((cell) => `${cell.method} ${cell.value} ${countText(cell)}`).join(', '),
    note: grid.note,
    spec: {
      width,
      height,
      padding: {
        left,
        top: Math.ceil(label * Math.sin(radians)) + 26,
        right: Math.max(beyond, chartWidth - left - width),
        bottom: 54,
      },
      layer: [
        ...rowLabels(rows),
        columnLabels(columns, x, -angle),
        ...cellLayers(cells, grid, { x, step, level, legend }),
      ],
    },
  };
}

/** Methods are rows where there is the place for columns of all that they were tried on. */
function gridOf(cells: readonly HeatCell[], methods: readonly ChartRow[]): Grid {
  const values = [...new Set(cells.map(({ value }) => value))];
  const idOf = new Map(values.map((value, at) => [value, `v${at}`]));
  const others = values.map((value): ChartRow => {
    return { row: idOf.get(value)!, kind: 'label', text: labelText(value) };
  });
  const note =
    'Complete dumps of the trials that count. Hold the pointer over a cell to see the rate, its ' +
    'interval and all outcomes.';
  if (values.length * narrowest <= chartWidth - rowLabelsWidth(methods)) {
    const placeOf = ({ method, value }: HeatCell) => ({ row: method, column: idOf.get(value)! });
    return { rows: methods, columns: others, placeOf, note };
  }
  const placeOf = ({ method, value }: HeatCell) => ({ row: idOf.get(value)!, column: method });
  const apart = methods.some(({ kind }) => kind === 'words')
    ? ' Apart, on the right: methods that the others are not compared with.'
    : '';
  return { rows: others, columns: methods, placeOf, note: `${note}${apart}` };
}

/** Words have a column of their own, which keeps apart what is right of it. */
function columnText({ kind, text }: ChartRow): string {
  return kind === 'words' ? '' : text;
}

function columnPlace(columns: readonly ChartRow[]) {
  const scale = { domain: columns.map(({ row }) => row), paddingInner: 0.06, paddingOuter: 0.03 };
  return { field: 'column', type: 'ordinal', axis: null, scale } as const;
}

type ColumnPlace = ReturnType<typeof columnPlace>;

function columnLabels(columns: readonly ChartRow[], x: ColumnPlace, angle: number): ChartLayer {
  return {
    data: { values: columns.map((each) => ({ column: each.row, text: columnText(each) })) },
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

interface CellLook {
  readonly x: ColumnPlace;
  /** Of a column. */
  readonly step: number;
  readonly level: number;
  readonly legend: typeof shadeLegend;
}

function cellLayers(
  cells: readonly HeatCell[],
  { rows, placeOf }: Grid,
  { x, step, level, legend }: CellLook,
): ChartLayer[] {
  const values = cells.map((cell) => {
    const shade = shadeOf(cell);
    return {
      ...placeOf(cell),
      shade,
      ink: `var(--on-shade-${everyShade.indexOf(shade)})`,
      text: countText(cell),
      said: writable(cellText(cell, level)),
    };
  });
  const place = {
    x,
    y: { field: 'row', type: 'ordinal', scale: rowScale(rows), axis: null },
  } as const;
  const range = everyShade.map((_, at) => `var(--shade-${at})`);
  const digits = Math.max(1, ...values.map(({ text }) => text.length));
  const fontSize = Math.min(labelSize, (step - 6) / (digits * digit));
  return [
    {
      data: { values },
      mark: { type: 'rect', stroke: 'var(--line)', strokeWidth: 1 },
      encoding: {
        ...place,
        fill: {
          field: 'shade',
          type: 'nominal',
          scale: { domain: [...everyShade], range },
          legend,
        },
        description: { field: 'said', type: 'nominal' },
      },
    },
    {
      data: { values },
      mark: { type: 'text', aria: false, fontSize, baseline: 'middle' },
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
  orient: 'none',
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
