/** The tables of the page of a capture. */

import { humanSize } from '../../bytes/text.ts';
import type { FaultNote } from '../../trial/faults/strike.ts';
import type { PageCounts, Verdict } from '../../trial/judge.ts';
import type { CaptureReport, OwnWriteReport, StageReport, Why } from '../../trial/report.ts';
import { type Markup, markup } from '../markup.ts';
import {
  effectText,
  failureText,
  hexAddress,
  isGood,
  outcomeText,
  placeText,
  virtualTime,
} from '../words.ts';
import { type Column, table } from './page-table.ts';

export function stageTable(stages: readonly StageReport[]): Markup {
  const rows = stages.map((stage) => [
    stage.name,
    virtualTime(stage.startNs),
    virtualTime(stage.endNs - stage.startNs),
    stage.pages === undefined ? '' : String(stage.pages),
    stage.bytes === undefined ? '' : humanSize(stage.bytes),
    stage.retries === undefined || stage.retries === 0 ? '' : String(stage.retries),
    stage.result === 'ok' ? said('ok', 'good') : said(`✗ ${failureText(stage)}`, 'bad'),
  ]);
  const columns: Column[] = [
    { head: 'Stage' },
    ...['From', 'Took', 'Pages', 'Bytes', 'Retries'].map((head) => ({
      head,
      kind: 'number' as const,
    })),
    { head: 'Result' },
  ];
  return table('Virtual time since the instant of the panic', columns, rows);
}

export function faultTable(faults: readonly FaultNote[]): Markup {
  const rows = faults.map((note) => [
    String(note.index + 1),
    markup`<code>${note.fault}</code>`,
    said(effectText(note), note.effect === 'prevented' ? 'good' : 'bad'),
    note.remarks.join('; '),
  ]);
  const heads = ['No.', 'Fault', 'Effect', 'Remarks'];
  const columns = heads.map((head) => ({ head }));
  return table('In the order in which they were given', columns, rows);
}

/** More writes than this are folded away. */
const writesShown = 8;

/** One table for each fault that wrote. */
export function writeTables(faults: readonly FaultNote[]): Markup[] {
  return faults.flatMap(({ index, writes }) => {
    if (writes.length === 0) return [];
    const rows = writes.map((write) => [
      write.writer,
      write.region,
      markup`<code>${placeText(write)}</code>`,
      markup`<code>${outcomeText(write)}</code>`,
    ]);
    const columns = ['Writer', 'Region', 'Where', 'What'].map((head) => ({ head }));
    const summary = `Writes of fault ${index + 1}: ${outcomeCounts(writes)}`;
    const shown = table(summary, columns, rows);
    if (writes.length <= writesShown) return [shown];
    return [markup`<details><summary>${summary}</summary>${shown}</details>`];
  });
}

/** `60 done, 4 unchanged`. */
function outcomeCounts(writes: FaultNote['writes']): string {
  const counts = new Map<string, number>();
  for (const { outcome } of writes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
}

export function removalTable({ removals }: Why): Markup {
  const rows = removals.map(({ fault, verdict }) => [
    fault,
    said(verdict, isGood(verdict) ? 'good' : 'bad'),
  ]);
  const columns: Column[] = [{ head: 'Left out alone', kind: 'code' }, { head: 'Verdict then' }];
  return table('The same run with one fault less', columns, rows);
}

export function editTable(setup: CaptureReport['setup']): Markup {
  const rows = setup.map(({ what, address = '', before = '', after = '' }) => [
    ...[what, address, before, after],
  ]);
  const columns: Column[] = [
    { head: 'Change' },
    ...['Address', 'Before', 'After'].map((head) => ({ head, kind: 'code' as const })),
  ];
  return table('What was changed to get to the instant of the panic', columns, rows);
}

export function ownWriteTable(writes: readonly OwnWriteReport[]): Markup {
  const rows = writes.map(({ what, start, end }) => [
    ...[what, hexAddress(start), hexAddress(end), humanSize(end - start)],
  ]);
  const columns: Column[] = [
    { head: 'What' },
    { head: 'From', kind: 'code' },
    { head: 'To (exclusive)', kind: 'code' },
    { head: 'Bytes', kind: 'number' },
  ];
  return table('Physical memory; the judge excuses exactly these bytes', columns, rows);
}

const pageTexts: Readonly<Record<keyof PageCounts, string>> = {
  due: 'must be in the dump',
  equal: "in the dump and equal, but for the method's own writes",
  excused: "of these, equal only because the method's own writes are excused",
  different: 'in the dump and different',
  absent: 'due and not in the dump',
  damaged: 'in the dump and not decodable',
};

export function pageTable(pages: PageCounts): Markup {
  const names = Object.keys(pageTexts) as (keyof PageCounts)[];
  const rows = names.map((name) => [name, String(pages[name]), pageTexts[name]]);
  const columns: Column[] = [
    { head: 'Pages' },
    { head: 'Count', kind: 'number' },
    { head: 'Meaning' },
  ];
  return table('Pages that were compared', columns, rows);
}

export function answerTable(answers: NonNullable<Verdict['answers']>): Markup {
  const rows = Object.entries(answers).map(([question, answer]) => [
    question,
    said(answer, answer === 'different' ? 'bad' : 'good'),
  ]);
  const columns: Column[] = [{ head: 'Question' }, { head: 'Dump against memory' }];
  return table("The analyzer's answers", columns, rows);
}

function said(text: string, style: 'good' | 'bad'): Markup {
  return markup`<span class="${style}">${text}</span>`;
}
