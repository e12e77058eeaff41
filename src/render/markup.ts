/**
 * Markup (SVG, HTML) out of templates in which every value is escaped: a panic message may hold
 * anything. Only what a template made goes in as it is.
 */

import { assert } from '../bytes/errors.ts';

export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type MarkupValue = string | number | Markup | readonly Markup[];

/** Numbers are written with two decimals at most: the same everywhere. */
export function markup(strings: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  const parts = values.map((value, index) => textOf(value) + strings[index + 1]!);
  return new Markup(strings[0]! + parts.join(''));
}

function textOf(value: MarkupValue): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string') return escaped(value);
  if (typeof value !== 'number') return value.map(({ text }) => text).join('\n');
  assert(Number.isFinite(value), 'a place in a picture is a number');
  return String(Math.round(value * 100) / 100);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content and quoted attributes. */
function escaped(text: string): string {
  return writable(text).replace(/[&<>"']/g, (found) => entities[found]!);
}

/**
 * Text that can stand in a document. XML has no way to write control characters, halves of
 * surrogate pairs, U+FFFE and U+FFFF (XML 1.0, production 2): they become U+FFFD. So do the marks
 * that change the direction of what follows.
 */
export function writable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\ufffe\uffff\u202a-\u202e\u2066-\u2069]/gu, (found) =>
    /[\t\n]/.test(found) ? found : '\ufffd',
  );
}
