/** Methods by what they were tried on: a cell for each, with words and a shade. */

import type { MethodSummary } from '../../compare/summary.ts';
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

export interface GridCell {
  readonly method: string;
  /** What it was tried on. */
  readonly value: string;
  /** One of the palette's. */
  readonly shade: string;
  /** In the cell. */
  readonly text: string;
  /** What a pointer shows. */
  readonly said: string;
}

export interface GridSubject {
  readonly title: string;
  readonly note: string;
  readonly cells: readonly GridCell[];
  readonly palette: Palette;
  readonly methods: readonly MethodSummary[];
}

/** How its colours are called in `html-style.ts`, and what each of them stands for. */
export interface Palette {
  readonly name: string;
  readonly shades: readonly string[];
}

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
  placeOf(cell: GridCell): { readonly row: string; readonly column: string };
  readonly remark: string;
}

export function gridChart({ title, note, cells, palette, methods }: GridSubject): Chart {
  const grid = gridOf(cells, chartRows(methods));
  const { rows, columns, remark } = grid;
  const left = rowLabelsWidth(rows);
  const step = Math.min(widest, Math.floor((chartWidth - left) / Math.max(1, columns.length)));
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
    description: cells.map(({ method, value, text }) => `${method} ${value} ${text}`).join(', '),
    note: `${note}${remark}`,
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
        ...cellLayers(cells, grid, { x, step, palette, legend }),
      ],
    },
  };
}

/** Methods are rows where there is the place for columns of all that they were tried on. */
function gridOf(cells: readonly GridCell[], methods: readonly ChartRow[]): Grid {
  const values = [...new Set(cells.map(({ value }) => value))];
  const idOf = new Map(values.map((value, at) => [value, `v${at}`]));
  const others = values.map((value): ChartRow => {
    return { row: idOf.get(value)!, kind: 'label', text: labelText(value) };
  });
  if (values.length * narrowest <= chartWidth - rowLabelsWidth(methods)) {
    const placeOf = ({ method, value }: GridCell) => ({ row: method, column: idOf.get(value)! });
    return { rows: methods, columns: others, placeOf, remark: '' };
  }
  const placeOf = ({ method, value }: GridCell) => ({ row: idOf.get(value)!, column: method });
  const remark = methods.some(({ kind }) => kind === 'words')
    ? ' Apart, on the right: methods that the others are not compared with.'
    : '';
  return { rows: others, columns: methods, placeOf, remark };
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
  readonly palette: Palette;
  readonly legend: typeof shadeLegend;
}

function cellLayers(
  cells: readonly GridCell[],
  { rows, placeOf }: Grid,
  { x, step, palette: { name, shades }, legend }: CellLook,
): ChartLayer[] {
  const values = cells.map((cell) => ({
    ...placeOf(cell),
    shade: cell.shade,
    ink: `var(--on-${name}-${shades.indexOf(cell.shade)})`,
    text: cell.text,
    said: writable(cell.said),
  }));
  const place = {
    x,
    y: { field: 'row', type: 'ordinal', scale: rowScale(rows), axis: null },
  } as const;
  const range = shades.map((_, at) => `var(--${name}-${at})`);
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
          scale: { domain: [...shades], range },
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
