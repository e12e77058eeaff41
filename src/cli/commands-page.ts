/**
 * `docs/reference/commands.md`: the examples of every command of analyze with what they really
 * print, of the panic that `tsdump capture` takes alone. `npm run man` writes it.
 */

import { spawnSync } from 'node:child_process';
import { questionOf } from '../analyze/answer.ts';
import { callOf } from '../analyze/parse.ts';
import { commands } from '../analyze/table.ts';
import { splitWords } from '../analyze/words.ts';
import { printable } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { openImage } from './images.ts';
import { splitOutput } from './shell/line.ts';

/** Lines of an output that are shown: of many examples fewer. */
const mostLines = { few: 16, many: 8 } as const;
const mostColumns = 88;

const head = [
  '# Commands of analyze',
  '',
  '<!-- Made by `npm run man`. Do not edit. -->',
  '',
  'What the examples of each help print. `vmcore` is the panic that `tsdump capture` takes alone,',
  '`fixtures/machine/null-process.kdump`; `...` stands for more lines, or for the rest of one.',
];

/** Throws DumpErrors, `usage` among them: an example is expected to work. */
export async function commandsPage(): Promise<string> {
  const { dump } = await openImage('null-process');
  try {
    const { tables } = openKernel(dump);
    const lines = [...head];
    for (const { name, summary, examples } of commands) {
      lines.push('', `## ${name}`, '', `${summary[0]!.toUpperCase()}${summary.slice(1)}.`, '');
      lines.push('```console');
      const most = mostLines[examples.length > 2 ? 'many' : 'few'];
      for (const [line] of examples) {
        const output = await outputOf(dump, tables, line);
        lines.push(`$ tsdump analyze vmcore ${line}`, ...trimmed(output, most));
      }
      lines.push('```');
    }
    return `${lines.join('\n')}\n`;
  } finally {
    dump.close();
  }
}

async function outputOf(dump: Dump, tables: Kernel['tables'], line: string): Promise<string[]> {
  const { text: command, rest } = splitOutput(line);
  const question = await questionOf(callOf(splitWords(command)));
  // A kernel of its own, as one command has it; names and types are not read again.
  const answer = question.ask(openKernel(dump, tables), { input: 'vmcore' });
  let text = '';
  for (const shown of answer.text()) text += `${shown}\n`;
  if (rest !== '') {
    const run = spawnSync('/bin/sh', ['-c', `cat ${rest}`], { input: text, encoding: 'utf8' });
    text = run.stdout;
  }
  return text.trimEnd().split('\n');
}

function trimmed(lines: readonly string[], most: number): string[] {
  const shown = lines.length > most ? [...lines.slice(0, most - 1), '...'] : lines;
  return shown.map((line) => {
    const text = printable(line).trimEnd();
    return text.length > mostColumns ? `${text.slice(0, mostColumns)}...` : text;
  });
}
