/** A row of a map of memory in SVG: runs of cells of one state, or a gap between RAM. */

import { type Markup, markup } from '../markup.ts';
import { hexAddress } from '../words.ts';
import type { MapGap } from './memory-map.ts';
import { mapLayout, runsOf } from './svg-memory.ts';

const { left, cellWidth, cellHeight } = mapLayout;

export interface CellRow<T extends string> {
  readonly firstPfn: number;
  readonly cells: readonly (T | 'none')[];
}

/** How a state looks, and what it is called. */
export interface CellLook<T extends string> {
  readonly styles: Readonly<Record<T, string>>;
  readonly texts: Readonly<Record<T, string>>;
}

export function mapRowMarks<T extends string>(
  row: CellRow<T> | MapGap,
  map: { readonly pageSize: number; readonly pagesPerCell: number },
  y: number,
  { styles, texts }: CellLook<T>,
): Markup {
  const { pageSize, pagesPerCell } = map;
  const address = hexAddress(row.firstPfn * pageSize);
  const label = markup`<text class="mono soft end" x="${left - 10}" y="${y + 11}">\
${address}</text>`;
  if ('endPfn' in row) {
    const end = hexAddress(row.endPfn * pageSize);
    return markup`${label}<text class="tick" x="${left}" y="${y + 11}">no RAM below ${end}</text>`;
  }
  const at = (cell: number): number => (row.firstPfn + cell * pagesPerCell) * pageSize;
  const cells = runsOf(row.cells).flatMap(({ value, first, end }) => {
    if (value === 'none') return [];
    const text = `${hexAddress(at(first))}-${hexAddress(at(end) - 1)}: ${texts[value]}`;
    const x = left + first * cellWidth;
    return [
      markup`<rect class="${styles[value]}" x="${x}" y="${y}" width="${(end - first) * cellWidth}" \
height="${cellHeight}"><title>${text}</title></rect>`,
    ];
  });
  return markup`${label}${cells}`;
}
