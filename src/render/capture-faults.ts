/** What befell the machine between set-up and instant, in lines. */

import type { ChalkInstance } from 'chalk';
import { plural } from '../bytes/text.ts';
import type { FaultNote } from '../trial/faults/strike.ts';
import { lengthOf, wrapped } from './lines.ts';
import { effectText, outcomeText, placeText } from './words.ts';

/** Writes of one fault, and remarks on it, without --verbose. */
const mostShown = 4;

interface Style {
  readonly width: number;
  readonly detail: 'main' | 'all';
  readonly chalk: ChalkInstance;
}

export function faultLines(faults: readonly FaultNote[], style: Style): string[] {
  if (faults.length === 0) return ['faults: none'];
  return [
    `faults: ${faults.length}`,
    ...faults.flatMap((fault) => [
      ...headLines(fault, style),
      ...writeLines(fault, style),
      ...remarkLines(fault, style),
    ]),
  ];
}

function headLines(note: FaultNote, { width, chalk }: Style): string[] {
  const { fault, index, effect } = note;
  const number = `  ${index + 1}. `;
  const paint = effect === 'prevented' ? chalk.green : chalk.yellow;
  const said = effectText(note);
  const lines = wrapped(`${number}${fault}: ${said}`, width, '     ');
  return lines.map((line) =>
    line.endsWith(said) ? line.slice(0, -said.length) + paint(said) : line,
  );
}

function writeLines({ writes }: FaultNote, { width, detail }: Style): string[] {
  const shown = detail === 'all' ? writes : writes.slice(0, mostShown);
  const lines = shown.flatMap((write) => {
    const place = placeText(write);
    const where = place === '' ? write.region : `${write.region}: ${place}`;
    const aim = `     ${write.writer}, ${where}: `;
    const whole = aim + outcomeText(write);
    if (lengthOf(whole) <= width) return wrapped(whole, width);
    const change = wrapped(`       ${outcomeText(write)}`, width, '       ');
    return [...wrapped(aim.trimEnd(), width, '       '), ...change];
  });
  const more = writes.length - shown.length;
  return more === 0 ? lines : [...lines, `     and ${plural(more, 'write')} more (--verbose)`];
}

function remarkLines({ remarks }: FaultNote, { width, detail }: Style): string[] {
  const shown = detail === 'all' ? remarks : remarks.slice(0, mostShown);
  const lines = shown.flatMap((remark) => wrapped(`     ${remark}`, width, '       '));
  const more = remarks.length - shown.length;
  return more === 0 ? lines : [...lines, `     and ${more} more (--verbose)`];
}
