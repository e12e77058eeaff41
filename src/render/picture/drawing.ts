/** A part of a picture: marks on a ground of a known size, in the units of the picture. */

import { type Markup, markup } from '../markup.ts';

export interface Drawing {
  readonly title: string;
  /** What is to be seen, for those who do not see it. */
  readonly description: string;
  readonly height: number;
  readonly body: readonly Markup[];
}

/** Of every drawing. */
export const pictureWidth = 920;

/** About, in the sans-serif font of a picture; advances differ between systems. */
export function textWidth(text: string, fontSize: number): number {
  return [...text].length * fontSize * 0.56;
}

/** An SVG element for a page. `name` makes its identifiers unique there. */
export function figure({ title, description, height, body }: Drawing, name: string): Markup {
  return markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${pictureWidth} ${height}" \
role="img" aria-labelledby="${name}-title ${name}-text">
<title id="${name}-title">${title}</title>
<desc id="${name}-text">${description}</desc>
${body}
</svg>`;
}
