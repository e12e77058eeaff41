/** The map of a dump's pages as a picture that stands for itself. */

import { humanSize, plural } from '../../bytes/text.ts';
import type { PageState } from '../../dump/types.ts';
import { shortened } from '../lines.ts';
import { type Markup, markup } from '../markup.ts';
import type { Drawing } from './drawing.ts';
import { mapRowMarks } from './map-row.ts';
import { type MappedPages, pageMapOf, pageStates, pageStateText } from './page-map.ts';
import { headingLength, margin, svgDocument, textLength } from './svg.ts';
import { legendMarks, mapLayout } from './svg-memory.ts';

const { left, top, columns, pitch } = mapLayout;

/** The styles of a capture's map that stand for the same. */
const styles: Readonly<Record<PageState, string>> = {
  stored: 'equal',
  zero: 'excused',
  excluded: 'not-judged',
  missing: 'absent',
  damaged: 'damaged',
};

export interface PageMapSubject extends MappedPages {
  /** As the user named it. */
  readonly input: string;
  readonly description: string;
  readonly verdict: { readonly name: string; readonly text: string };
  readonly isGood: boolean;
}

/** An SVG document. The same subject, the same bytes. */
export function pageMapSvg(subject: PageMapSubject): string {
  const { input, verdict } = subject;
  const title = `${input}: ${verdict.name}`;
  return svgDocument(title, headMarks(subject), [pageMapDrawing(subject)]);
}

function headMarks({ input, description, verdict, isGood }: PageMapSubject): Markup {
  const said = shortened(verdict.text, textLength - verdict.name.length);
  const style = isGood ? 'good' : 'bad';
  return markup`<text class="heading" x="${margin}" y="30">${shortened(input, headingLength)}</text>
<text class="soft" x="${margin}" y="54">${shortened(description, textLength)}</text>
<text x="${margin}" y="78"><tspan class="${style}">${verdict.name}</tspan>: ${said}</text>`;
}

function pageMapDrawing(pages: MappedPages): Drawing {
  const map = pageMapOf(pages, { columns, maxRows: 32 });
  const bottom = top + map.rows.length * pitch;
  const cell = map.pagesPerCell * map.pageSize;
  const shown = pageStates.filter((state) => map.states.has(state));
  const entries = shown.map((state) => ({ sign: swatch(state), text: pageStateText[state] }));
  const legend = legendMarks(entries, bottom + 40);
  return {
    title: 'Pages',
    description: shown.map((state) => pageStateText[state]).join(', '),
    height: legend.bottom,
    body: [
      ...map.rows.map((row, index) =>
        mapRowMarks(row, map, top + index * pitch, { styles, texts: pageStateText }),
      ),
      markup`<text class="tick" x="${left}" y="${bottom + 12}">a cell is ${humanSize(cell)} \
(${plural(map.pagesPerCell, 'page')}) and shows what most of its pages are, or the damage in \
it; a row is ${humanSize(cell * columns)}</text>`,
      ...legend.marks,
    ],
  };
}

function swatch(state: PageState): Markup {
  return markup`<rect class="${styles[state]}" x="0" y="-6" width="18" height="12"/>`;
}
