/**
 * Methods as rows of a chart, those apart that are not to be compared: what reads from outside is
 * the upper bound, and what is taken before the panic never met the crash.
 */

import type { MethodSummary } from '../../compare/summary.ts';
import { shortened } from '../lines.ts';
import { writable } from '../markup.ts';
import type { ChartLayer } from './chart.ts';

/** What has a label, or words over those that follow. */
export interface ChartRow {
  readonly row: string;
  readonly kind: 'label' | 'words';
  readonly text: string;
}

/** Of a chart, in units of the picture. */
export const chartWidth = 960;
export const rowHeight = 30;

export const labelSize = 12.5;
export const legendLook = {
  direction: 'horizontal',
  title: null,
  labelFontSize: labelSize,
  labelColor: 'var(--ink)',
  labelLimit: 0,
  columnPadding: 14,
} as const;

const labelLength = 30;
const labelFont = "ui-monospace, 'DejaVu Sans Mono', Menlo, monospace";
/** Of the width of a letter in that font, and of one in that of the page, by their height. */
const letters = { label: 0.61, text: 0.55 };

const groups: readonly (readonly [MethodSummary['moment'], string])[] = [
  ['after the panic', ''],
  ['outside', 'From outside of the machine: the upper bound'],
  ['before the panic', 'Taken before the panic: not to be compared with the others'],
];

export function chartRows(methods: readonly MethodSummary[]): ChartRow[] {
  return groups.flatMap(([moment, words]) => {
    const rows = methods
      .filter((method) => method.moment === moment)
      .map(({ method }) => ({ row: method, kind: 'label' as const, text: labelText(method) }));
    if (rows.length === 0 || words === '') return rows;
    return [{ row: moment, kind: 'words' as const, text: words }, ...rows];
  });
}

export function labelText(text: string): string {
  return shortened(writable(text), labelLength);
}

/** What texts need in a chart. */
export function textWidth(texts: readonly string[], font: keyof typeof letters): number {
  const longest = Math.max(0, ...texts.map((text) => [...text].length));
  return Math.ceil(letters[font] * labelSize * longest);
}

export function rowLabelsWidth(rows: readonly ChartRow[]): number {
  const labels = rows.flatMap(({ kind, text }) => (kind === 'label' ? [text] : []));
  return 16 + textWidth(labels, 'label');
}

/** All layers of a chart share it. */
export function rowScale(rows: readonly ChartRow[]) {
  return { domain: rows.map(({ row }) => row), paddingInner: 0.08, paddingOuter: 0.04 };
}

/** Labels left of the area, and words in it. */
export function rowLabels(rows: readonly ChartRow[]): ChartLayer[] {
  const layer = (kind: ChartRow['kind'], fill: string, x: number): ChartLayer => ({
    data: { values: rows.filter((row) => row.kind === kind) },
    mark: {
      type: 'text',
      aria: false,
      baseline: 'middle',
      fontSize: labelSize,
      fill,
      ...(kind === 'label' ? { align: 'right', font: labelFont } : { align: 'left', dy: 4 }),
    },
    encoding: {
      x: { value: x },
      y: { field: 'row', type: 'ordinal', scale: rowScale(rows), axis: null },
      text: { field: 'text', type: 'nominal' },
    },
  });
  return [layer('label', 'var(--ink)', -10), layer('words', 'var(--soft)', 0)];
}
