/** A comparison as a step summary of GitHub, a note of GitLab, or a page of documentation. */

import { type CompareReport, isAccepted } from '../../compare/report.ts';
import { introduction, type TableSection, tablesOf } from './tables.ts';
import { conclusion } from './words.ts';

export function compareMarkdown(report: CompareReport, input: string): string {
  const verdict = isAccepted(report) ? '' : ': refused';
  const blocks = [
    `# Dump methods compared${verdict}`,
    ...introduction(report).map(escaped),
    ...tablesOf(report).map(section),
    conclusion(report, input)
      .map((line) => `- ${escaped(line)}`)
      .join('\n'),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function section({ title, note, head, rows, words }: TableSection): string {
  const row = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`;
  const rule = head.map((_, at) => (words.includes(at) ? '---' : '---:'));
  const table = [row(head), `| ${rule.join(' | ')} |`, ...rows.map(row)].join('\n');
  return [`## ${title}`, escaped(note), rows.length === 0 ? 'None.' : table].join('\n\n');
}

/** Words of a kernel may hold anything: they are shown, and mark nothing up. */
function escaped(text: string): string {
  const plain = text.replace(/[\r\n]+/g, ' ').replace(/[\\`*_[\]|~]/g, '\\$&');
  return plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
