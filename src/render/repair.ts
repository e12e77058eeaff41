/** What is wrong with a dump, and what was done about it. */

import type { Json } from '../analyze/command.ts';
import { printable, shellWord } from '../bytes/text.ts';
import type { Finding } from '../convert/diagnose.ts';
import type { ConvertReport } from '../convert/report.ts';
import { convertEnvelope, convertLines } from './convert.ts';
import { dataEnvelope, type Envelope, type Origin } from './envelope.ts';
import { wrapped } from './lines.ts';

export interface RepairReport {
  readonly inputs: readonly string[];
  /** What the dump is, in a line. */
  readonly source: string;
  readonly findings: readonly Finding[];
  readonly remarks: readonly string[];
  /** Undefined for a diagnosis, and where nothing is wrong. */
  readonly written: ConvertReport | undefined;
}

export function repairLines(report: RepairReport, width: number): string[] {
  const { findings, written, inputs, source, remarks } = report;
  const lines = findings.flatMap(({ problem, mend }) => [
    `wrong: ${problem}`,
    mend === undefined ? '  nothing can be done about it' : `  mended by: ${mend}`,
  ]);
  if (findings.length === 0) lines.push(`nothing is wrong with ${inputs.join(' ')}: ${source}`);
  const isMendable = findings.some(({ mend }) => mend !== undefined);
  if (written === undefined && isMendable) {
    lines.push(`next: tsdump repair ${inputs.map(shellWord).join(' ')} -o OUT`);
  }
  const told = [...remarks, ...lines].flatMap((line) => wrapped(printable(line), width, '  '));
  return written === undefined ? told : [...told, ...convertLines(written, width)];
}

export function repairEnvelope(origin: Origin, report: RepairReport): Envelope {
  const { findings, written, source, remarks } = report;
  const document = written === undefined ? undefined : convertEnvelope(origin, written);
  const missing = findings
    .filter(({ mend }) => mend === undefined)
    .map(({ kind, problem }) => ({ what: kind, count: null, why: problem }));
  const data: Json = {
    source,
    findings: findings.map(({ kind, problem, mend }) => ({ kind, problem, mend: mend ?? null })),
    remarks: [...remarks],
    written: document?.data ?? null,
  };
  const all = [...missing, ...(document?.missing ?? [])];
  return dataEnvelope(origin, data, all);
}
