/** Facts as people read them: a label, and its text wrapped beside it. */

import { padded, wrapped } from './lines.ts';

export type Fact = readonly [label: string, text: string | undefined];

const labelWidth = 12;

/** Those that are known, a line or more each; the same label twice stands once. */
export function factLines(facts: readonly Fact[], width: number): string[] {
  let last = '';
  return facts.flatMap(([label, text]) => {
    if (text === undefined || text === '') return [];
    const shown = label === last ? '' : label;
    last = label;
    const lines = wrapped(text, Math.max(40, width - labelWidth));
    return lines.map((line, at) => padded(at === 0 ? shown : '', labelWidth) + line);
  });
}
