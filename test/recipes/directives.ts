/** The lines of recipes, and what the makers of all formats share. */

import { deflateSync } from 'node:zlib';
import type { CompressionName } from '../../src/codec/types.ts';

/** Packs a page; the caller lends the codecs that Node does not have. */
export type Pack = (name: CompressionName, page: Uint8Array) => Uint8Array;

export const pageSize = 4096;

export interface Directive {
  readonly word: string;
  readonly position: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

export function parseDirective(line: string): Directive {
  const [word, ...words] = line.split(/\s+/);
  const options = new Map<string, string>();
  const position: string[] = [];
  for (const each of words) {
    const [key, value] = each.split('=');
    if (value === undefined) position.push(each);
    else options.set(key!, value);
  }
  return { word: word!, position, options };
}

/** A number option, or the default. */
export function num({ options }: Directive, key: string, otherwise: number): number {
  const value = options.get(key);
  return value === undefined ? otherwise : Number(value);
}

export function big({ options }: Directive, key: string): bigint {
  return BigInt(options.get(key) ?? 0);
}

/** `5` or `3-7`, both ends included. */
export function pfnsOf({ position }: Directive): number[] {
  const [first, last] = position[0]!.split('-').map(Number);
  return Array.from({ length: (last ?? first!) - first! + 1 }, (_, index) => first! + index);
}

export function contentOf({ options, position }: Directive): Buffer {
  const page = Buffer.alloc(pageSize);
  if (position.includes('zero')) return page;
  if (options.has('fill')) return page.fill(Number(options.get('fill')));
  if (options.has('text')) return page.fill(`${options.get('text')} `);
  let seed = Number(options.get('random') ?? 1);
  for (let at = 0; at < pageSize; at++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    page[at] = seed >>> 24;
  }
  return page;
}

export function packed(as: string, page: Buffer, pack: Pack): Buffer {
  if (as === 'raw') return page;
  if (as === 'zlib') return deflateSync(page);
  return Buffer.from(pack(as as CompressionName, page));
}

/** Pages that a directive names, one by one. */
export interface PageToWrite {
  readonly pfn: number;
  readonly directive: Directive;
}

export function writeUtsname(target: Buffer, at: number, machine = 'x86_64'): void {
  const texts = ['Linux', 'recipe', '6.1.0-recipe', '#1 SMP', machine, '(none)'];
  for (const [index, text] of texts.entries()) target.write(text, at + 65 * index);
}
