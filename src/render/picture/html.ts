/** A run as a page for screen and paper, which stands for itself: no script, nothing loaded. */

import { humanSize, plural } from '../../bytes/text.ts';
import { methodWord } from '../../capture/catalogue.ts';
import type { CaptureReport } from '../../trial/report.ts';
import type { CaptureSubject } from '../capture.ts';
import { Markup, markup } from '../markup.ts';
import {
  endText,
  introductionText,
  isGood,
  machineText,
  nextCommand,
  panicText,
  safeText,
  whyText,
} from '../words.ts';
import { figure } from './drawing.ts';
import { pageCss } from './page-style.ts';
import {
  answerTable,
  editTable,
  faultTable,
  ownWriteTable,
  pageTable,
  removalTable,
  stageTable,
  writeTables,
} from './page-tables.ts';
import { patterns, pictureCss } from './style.ts';
import { memoryDrawing } from './svg-memory.ts';
import { timelineDrawing } from './svg-timeline.ts';

/** An HTML document, which is XML as well. The same subject, the same bytes. */
export function captureHtml(subject: CaptureSubject): string {
  const { report, machine } = subject;
  const method = methodWord(report.method, report.generation);
  const title = `${method} on ${machine}: ${report.verdict.class}`;
  return `<!DOCTYPE html>\n${
    markup`<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>${title}</title>
<style>${new Markup(pictureCss + pageCss)}</style>
</head>
<body>
<main>
${headMarkup(subject)}
<h2>Time line</h2>
<figure>${figure(timelineDrawing(report), 'time-line')}</figure>
<h2>Stages</h2>
${stageTable(report.stages)}
${remarks(report)}
${faultSection(report)}
<h2>Memory</h2>
<figure>${figure(memoryDrawing(report), 'memory')}</figure>
<p class="soft">Hold the pointer over a cell or a mark to see what it stands for.</p>
${ownWrites(report)}
<h2>The judge</h2>
${judgeMarkup(report)}
<h2>See it again</h2>
<pre>${subject.again}</pre>
<p>Seed ${report.seed} decides where and when the faults strike; the same command does the same \
again.</p>
</main>
</body>
</html>`.text
  }\n`;
}

function headMarkup({ report, machine, output, again, scenario }: CaptureSubject): Markup {
  const { verdict } = report;
  const method = methodWord(report.method, report.generation);
  const why = whyText(report);
  const style = isGood(verdict.class) ? 'good' : 'bad';
  const about =
    scenario === undefined ? [] : [row('Scenario', `${scenario.name}: ${scenario.title}`)];
  return markup`<h1>${method} on ${machine}</h1>
<p class="soft">${introductionText(report, machine)}</p>
<div class="verdict ${style}"><strong class="${style}">${verdict.class}</strong>
<ul>${verdict.reasons.map((reason) => markup`<li>${reason}</li>`)}</ul>
<p>Next: <code>${nextCommand(verdict.class, output, `${again} --verbose`)}</code></p></div>
<dl>
${about}
${row('Machine', machineText(report))}
${row('Panic', panicText(report))}
${row('Course', endText(report))}
${report.failed?.cause === undefined ? markup`` : row('Cause', report.failed.cause)}
${row('Safe on the disk', safeText(report))}
${why === undefined ? markup`` : row('Why', why)}
</dl>
${patternsOnce}`;
}

/** The pictures of the page share them. */
const patternsOnce = markup`<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0" \
aria-hidden="true" style="position:absolute">${patterns}</svg>`;

function row(name: string, value: string): Markup {
  return markup`<dt>${name}</dt><dd>${value}</dd>`;
}

function remarks({ stages, saved }: CaptureReport): Markup {
  const all = [
    ...stages.flatMap(({ name, remarks }) => remarks.map((remark) => `${name}: ${remark}`)),
    ...(saved?.remarks ?? []).map((remark) => `saving: ${remark}`),
  ];
  if (all.length === 0) return markup``;
  return markup`<ul>${all.map((remark) => markup`<li>${remark}</li>`)}</ul>`;
}

function faultSection({ faults, why, setup }: CaptureReport): Markup {
  return markup`<h2>What befell the machine</h2>
${faults.length === 0 ? markup`<p>No fault struck it.</p>` : faultTable(faults)}
${writeTables(faults)}
${why === undefined ? markup`` : removalTable(why)}
${setup.length === 0 ? markup`` : folded(plural(setup.length, 'change'), setup)}`;
}

function folded(count: string, setup: CaptureReport['setup']): Markup {
  return markup`<details><summary>Set-up: ${count} before the instant</summary>
${editTable(setup)}</details>`;
}

function ownWrites({ ownWrites }: CaptureReport): Markup {
  if (ownWrites.length === 0) return markup``;
  const bytes = ownWrites.reduce((sum, { start, end }) => sum + end - start, 0);
  return markup`<details><summary>Memory that the method itself wrote by design: \
${humanSize(bytes)}</summary>
${ownWriteTable(ownWrites)}</details>`;
}

function judgeMarkup({ verdict: { pages, answers } }: CaptureReport): Markup {
  const nothing = markup`<p>There is no file whose pages could be compared.</p>`;
  return markup`<p>From the file alone, against the memory at the instant.</p>
${pages === undefined ? nothing : pageTable(pages)}
${answers === undefined ? markup`` : answerTable(answers)}`;
}
