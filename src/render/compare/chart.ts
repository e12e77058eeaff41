/** Charts of a page, drawn by Vega while the page is written: no script is left in them. */

import { Error as errorsOnly, logger, parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { Markup, markup } from '../markup.ts';

type LayeredSpec = Extract<TopLevelSpec, { layer: unknown[] }>;
/** Marks on the area of a chart. */
export type ChartLayer = LayeredSpec['layer'][number];

export interface Chart {
  readonly title: string;
  /** What is to be seen, for those who do not see it. */
  readonly description: string;
  /** What stands under it. */
  readonly note: string;
  /** Its size is that of the area, around which is padding. */
  readonly spec: Pick<LayeredSpec, 'height' | 'layer' | 'padding' | 'width'>;
}

const config = {
  background: 'transparent',
  font: 'inherit',
  view: { stroke: null },
} as const;

/**
 * An SVG element. `name` makes its identifiers unique in the page. Descriptions of marks are what
 * a pointer shows.
 */
export async function chartMarkup({ title, description, spec }: Chart, name: string) {
  const quiet = { logger: logger(errorsOnly) };
  const view = new View(parse(compile({ ...spec, autosize: 'none', config }, quiet).spec), {
    ...quiet,
    renderer: 'none',
  });
  const drawn = await view.toSVG();
  view.finalize();
  const [, size = '', body = ''] =
    /^<svg [^>]*(width="\d+" height="\d+" viewBox="[\d .]+")>(.*)$/s.exec(drawn) ?? [];
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="chart" ${new Markup(size)} \
role="img" aria-labelledby="${name}-title ${name}-text">
<title id="${name}-title">${title}</title>
<desc id="${name}-text">${description}</desc>
${new Markup(titled(body))}`;
}

/** Vega gives descriptions to screen readers only, and escapes them: `>` is no part of one. */
function titled(svg: string): string {
  return svg
    .replace(/ (?:role|aria-roledescription|aria-hidden)="[^"]*"/g, '')
    .replaceAll('&#xA;', '\n')
    .replaceAll('&#x9;', '\t')
    .replace(
      /<path aria-label="([^"]*)"([^>]*)\/>/g,
      (_, text, attributes) => `<path${attributes}><title>${text}</title></path>`,
    );
}
