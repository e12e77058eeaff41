/** What was saved of a disk. */

import { plural, printable, shellWord } from '../bytes/text.ts';
import { dataEnvelope, type Envelope, type Origin } from './envelope.ts';

export interface SaveReport {
  readonly inputs: readonly string[];
  readonly method: string;
  readonly format: string;
  readonly output: string;
  readonly bytes: number;
  /** Why the dump is not whole; empty for one that is. */
  readonly remarks: readonly string[];
  /** The report beside the dump; undefined: there is none, for this reason. */
  readonly report: string | undefined;
  readonly problem: string | undefined;
}

export function saveLines(saved: SaveReport): string[] {
  const { method, format, output, bytes, remarks, report, problem } = saved;
  return [
    `saved: what ${method} left, as ${format.toUpperCase()}: ${output}, ${plural(bytes, 'byte')}`,
    ...remarks.map((remark) => `not whole: ${printable(remark)}`),
    report === undefined ? `no report: ${printable(problem ?? '')}` : `report: ${report}`,
    `next: tsdump analyze ${shellWord(output)}`,
  ];
}

export function saveEnvelope(origin: Origin, saved: SaveReport): Envelope {
  const { method, format, output, bytes, remarks, report, problem } = saved;
  const missing = [
    ...remarks.map((why) => ({ what: 'pages', count: null, why })),
    ...(problem === undefined ? [] : [{ what: 'report', count: null, why: problem }]),
  ];
  return dataEnvelope(origin, { method, format, output, bytes, report: report ?? null }, missing);
}
