/**
 * Damage that made a reader execute something which less damage did not: found by `npm run fuzz`,
 * kept as text in corpus/READER.txt, a heading for each undamaged file, a line for each list of
 * edits.
 */

import { parseDirective } from '../recipes/directives.ts';
import { type Edit, editOf, lineOf } from '../recipes/edits.ts';
import type { Base } from './damage.ts';

export interface Entry {
  /** Number of the undamaged file. */
  readonly base: number;
  readonly edits: readonly Edit[];
}

const between = '; ';

/** Entries of files that are no more are left out. */
export function parseCorpus(text: string, bases: readonly Base[]): Entry[] {
  const entries: Entry[] = [];
  let base = -1;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const heading = /^\[(.*)\]$/.exec(line)?.[1];
    if (heading !== undefined) base = bases.findIndex(({ name }) => name === heading);
    else if (base >= 0) entries.push({ base, edits: editsOf(line) });
  }
  return entries;
}

function editsOf(line: string): Edit[] {
  return line.split(between).map((each) => {
    const edit = editOf(parseDirective(each), 0);
    if (edit === undefined) throw new Error(`${each}: not an edit`);
    return edit;
  });
}

export function corpusText(entries: readonly Entry[], bases: readonly Base[]): string {
  const sections = bases.map(({ name }, base) => {
    const ofBase = entries.filter((entry) => entry.base === base && entry.edits.length > 0);
    const lines = ofBase.map(({ edits }) => edits.map(lineOf).join(between));
    return lines.length === 0 ? '' : [`[${name}]`, ...lines, ''].join('\n');
  });
  return sections.filter((section) => section !== '').join('\n');
}

/** The entry as a recipe, or what comes nearest. */
export function recipeOf({ base, edits }: Entry, bases: readonly Base[]): string {
  const { name, recipe } = bases[base]!;
  const lines = recipe === undefined ? [] : [recipe];
  return `${[`[${name}]`, ...lines, ...edits.map(lineOf)].join('\n')}\n`;
}
