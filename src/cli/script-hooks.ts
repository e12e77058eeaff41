/**
 * How modules of a user's script are found and read: `tsdump` is this very package wherever the
 * script lies, TypeScript loses its types (columns and lines stay). The functions serve as hooks of
 * either kind, in a thread of their own (`module.register`, Node 20) or in this one
 * (`module.registerHooks`, Node 22.15). Source: nodejs.org/api/module.html, "Customization Hooks".
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

interface Loaded {
  readonly format: string;
  readonly source: string;
  readonly shortCircuit: true;
}

type Next<Result> = (name: string, context: unknown) => Result;

const ourselves = new URL('../index.js', import.meta.url).href;

export function resolve<Result>(
  specifier: string,
  context: unknown,
  next: Next<Result>,
): Result | { readonly url: string; readonly shortCircuit: true } {
  if (specifier === 'tsdump') return { url: ourselves, shortCircuit: true };
  return next(specifier, context);
}

export function load<Result>(url: string, context: unknown, next: Next<Result>): Result | Loaded {
  if (!/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const file = fileURLToPath(url);
  const source = withoutTypes(readFileSync(file, 'utf8'), file);
  return { format: 'module', source, shortCircuit: true };
}

/** What the compiler throws: no Error. Lines count from 1, columns from 0. */
interface Refused {
  readonly code: 'InvalidSyntax' | 'UnsupportedSyntax';
  readonly message: string;
  readonly startLine: number;
  readonly startColumn: number;
}

/** JavaScript of a TypeScript source. Throws SyntaxErrors that name their place. */
export function withoutTypes(source: string, file: string): string {
  const { transformSync } = createRequire(import.meta.url)(
    '@swc/wasm-typescript',
  ) as typeof import('@swc/wasm-typescript');
  try {
    return transformSync(source, { mode: 'strip-only', filename: file }).code;
  } catch (error) {
    const { code, message, startLine, startColumn } = error as Refused;
    if (code === undefined) throw error;
    throw new SyntaxError(`${message}\n    at ${file}:${startLine}:${startColumn + 1}`);
  }
}
