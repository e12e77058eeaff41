/** A table of a page, for eyes and for those who have it read to them. */

import { type Markup, markup } from '../markup.ts';

export interface Column {
  readonly head: string;
  readonly kind?: 'number' | 'code';
}

/** The first cell of a row is its header. Columns that are empty in every row are left out. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly (string | Markup)[])[],
): Markup {
  const used = columns
    .map((column, at) => ({ ...column, at }))
    .filter(({ at }) => rows.some((row) => row[at] !== ''));
  const heads = used.map(({ head, kind }) => markup`<th scope="col"${style(kind)}>${head}</th>`);
  const body = rows.map((row) => {
    const cells = used.map(({ kind, at }) => {
      const value = row[at] ?? '';
      const shown = kind === 'code' ? markup`<code>${value}</code>` : markup`${value}`;
      if (at === 0) return markup`<th scope="row">${shown}</th>`;
      return markup`<td${style(kind)}>${shown}</td>`;
    });
    return markup`<tr>${cells}</tr>`;
  });
  return markup`<div class="table"><table><caption>${caption}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>
${body}
</tbody></table></div>`;
}

function style(kind: Column['kind']): Markup {
  return kind === 'number' ? markup` class="number"` : markup``;
}
