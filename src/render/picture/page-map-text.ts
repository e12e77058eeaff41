/** The map of a dump's pages in the characters of a terminal. */

import { Chalk, type ChalkInstance } from 'chalk';
import { humanSize, plural } from '../../bytes/text.ts';
import type { PageState } from '../../dump/types.ts';
import { wrapped } from '../lines.ts';
import { hexAddress } from '../words.ts';
import {
  type MappedPages,
  type PageCell,
  pageMapOf,
  pageStates,
  pageStateText,
} from './page-map.ts';
import { addressWidth, gapLine, legendRows, type TerminalStyle } from './terminal.ts';

const characters: Readonly<Record<PageCell, string>> = {
  none: ' ',
  stored: '█',
  zero: '▒',
  excluded: '·',
  missing: '○',
  damaged: '!',
};

export function pageMapLines(pages: MappedPages, { width, colour }: TerminalStyle): string[] {
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const columns = 2 ** Math.floor(Math.log2(Math.max(16, width - addressWidth - 1)));
  const map = pageMapOf(pages, { columns, maxRows: 16 });
  const cell = map.pagesPerCell * map.pageSize;
  const heading =
    `map of memory: a cell is ${humanSize(cell)} (${plural(map.pagesPerCell, 'page')}) and shows ` +
    `what most of its pages are, or the damage in it; a row is ${humanSize(cell * columns)}`;
  const rows = map.rows.map((row) => {
    if (!('cells' in row)) return gapLine(row, map);
    const address = hexAddress(row.firstPfn * map.pageSize).padStart(addressWidth);
    return `${address} ${row.cells.map((state) => sign(state, chalk)).join('')}`.trimEnd();
  });
  const legend = pageStates
    .filter((state) => map.states.has(state))
    .map((state) => ({ sign: sign(state, chalk), text: pageStateText[state] }));
  return [...wrapped(heading, width), ...rows, ...legendRows(legend, width)];
}

const paints: Readonly<Record<PageState, 'green' | 'cyan' | 'dim' | 'yellow' | 'red'>> = {
  stored: 'green',
  zero: 'cyan',
  excluded: 'dim',
  missing: 'yellow',
  damaged: 'red',
};

function sign(state: PageCell, chalk: ChalkInstance): string {
  return state === 'none' ? characters.none : chalk[paints[state]](characters[state]);
}
