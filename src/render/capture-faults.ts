/** What befell the machine between set-up and instant, in lines. */

import type { ChalkInstance } from 'chalk';
import { plural } from '../bytes/text.ts';
import type { FaultNote } from '../trial/faults/strike.ts';
import { lengthOf, wrapped } from './lines.ts';
import { effectText, outcomeText, placeText } from './words.ts';

/** Of one fault, without --verbose. */
const writesShown = 4;

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
      ...fault.remarks.flatMap((remark) => wrapped(`     ${remark}`, style.width, '       ')),
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
  const shown = detail === 'all' ? writes : writes.slice(0, writesShown);
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
