/** Words of a C expression. */

import { DumpError } from '../../bytes/errors.ts';

export type Token =
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'char'; readonly text: string; readonly at: number }
  | { readonly kind: 'name'; readonly text: string; readonly at: number }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

/** Nobody types more; a longer text is a mistake. */
const maxLength = 4096;

const shapes: readonly (readonly [kind: 'number' | 'char' | 'name' | 'sign', shape: RegExp])[] = [
  ['number', /0[xX][0-9a-fA-F]+[uUlL]{0,3}|[0-9]+[uUlL]{0,3}/y],
  ['char', /'(?:[^'\\]|\\(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2}|.))'/y],
  ['name', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['sign', /->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:()[\].,]/y],
];

/** The tokens of `text`; the last one is the end. Throws `usage`. */
export function tokenize(text: string): Token[] {
  if (text.length > maxLength) {
    throw new DumpError('usage', `an expression of ${text.length} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text.charAt(at))) at++;
    if (at >= text.length) break;
    const token = tokenAt(text, at);
    tokens.push(token);
    at += token.text.length;
    // 0b1 and 12ab are no numbers, and no number beside a name either.
    if (token.kind === 'number' && /\w/.test(text.charAt(at))) refuse(text, at);
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

function tokenAt(text: string, at: number): Token {
  for (const [kind, shape] of shapes) {
    shape.lastIndex = at;
    const found = shape.exec(text);
    if (found !== null) return { kind, text: found[0], at };
  }
  return refuse(text, at);
}

function refuse(text: string, at: number): never {
  throw new DumpError('usage', `"${text}" makes no sense from "${text.slice(at, at + 20)}" on`);
}

const escapes: Readonly<Record<string, number>> = {
  a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27,
}; // biome-ignore format: one list

/** The value of a character constant, as an int. */
export function characterValue(text: string): bigint {
  const body = text.slice(1, -1);
  if (!body.startsWith('\\')) return BigInt(body.codePointAt(0)!);
  const rest = body.slice(1);
  if (/^[0-7]/.test(rest)) return BigInt.asIntN(8, BigInt(Number.parseInt(rest, 8)));
  if (/^x[0-9a-f]/i.test(rest)) return BigInt.asIntN(8, BigInt(`0${rest}`));
  return BigInt(escapes[rest] ?? rest.codePointAt(0)!);
}
