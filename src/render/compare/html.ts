/**
 * A comparison as a page for screen and paper, which stands for itself: no script, nothing loaded.
 * Not loaded with the rest: the library that draws its charts takes its time.
 */

import { plural } from '../../bytes/text.ts';
import { type CompareReport, isAccepted } from '../../compare/report.ts';
import type { StratumAxis, Summary } from '../../compare/summary.ts';
import { Markup, markup } from '../markup.ts';
import { pageCss } from '../picture/page-style.ts';
import { type Column, table } from '../picture/page-table.ts';
import { colourCss } from '../picture/style.ts';
import { type Chart, chartMarkup } from './chart.ts';
import { changeMap, rateMap } from './heat-map.ts';
import { chartCss } from './html-style.ts';
import { trialSections } from './html-trials.ts';
import { rateChart } from './rate-chart.ts';
import { introduction, requirementText, type TableSection, tablesOf } from './tables.ts';
import { conclusion } from './words.ts';

export interface ComparePage {
  readonly report: CompareReport;
  /** The results. */
  readonly input: string;
}

interface Section {
  readonly title: string;
  readonly body: Markup;
}

/** An HTML document, which is XML as well. The same report, the same bytes. */
export async function compareHtml(page: ComparePage): Promise<string> {
  const { report } = page;
  const { summary } = report;
  const changes = await drawn(changeMaps(report), 'change');
  const rates = summary.trials === 0 ? [] : [...rateMaps(summary), rateChart(summary)];
  const charts = await drawn(rates, 'chart');
  const tables = tablesOf(report).map((each) => ({ title: each.title, body: tableMarkup(each) }));
  const requirements = report.requirements.length > 0 ? 1 : 0;
  const [gates, afterGates] = report.baseline === null ? [0, 0] : [1, 2];
  const sections = [
    ...tables.slice(0, requirements + gates),
    ...changes,
    ...tables.slice(requirements + gates, requirements + afterGates),
    ...charts,
    ...tables.slice(requirements + afterGates),
    ...trialSections(summary),
  ];
  return `<!DOCTYPE html>\n${
    markup`<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>Dump methods compared: ${outcomeOf(report).word}</title>
<style>${new Markup(colourCss + pageCss + chartCss)}</style>
</head>
<body>
<main>
${headMarkup(page)}
${contents(sections)}
${sections.map(sectionMarkup)}
</main>
</body>
</html>`.text
  }\n`;
}

async function drawn(charts: readonly Chart[], name: string): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [at, chart] of charts.entries()) {
    const body = markup`<figure>${await chartMarkup(chart, `${name}-${at}`)}
<figcaption>${chart.note}</figcaption></figure>`;
    sections.push({ title: chart.title, body });
  }
  return sections;
}

function sectionMarkup({ title, body }: Section, at: number): Markup {
  return markup`<section id="part-${at}"><h2>${title}</h2>
${body}</section>`;
}

function headMarkup({ report, input }: ComparePage): Markup {
  const { word, style, reasons } = outcomeOf(report);
  const lines = [...reasons, ...conclusion(report, input)];
  return markup`<h1>Dump methods compared</h1>
<p class="soft">${introduction(report)[0]!}</p>
<div class="verdict ${style}"><strong class="${style}">${word}</strong>
<ul>${lines.map((line) => markup`<li>${line}</li>`)}</ul></div>
<dl>
${factsOf(report, input).map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}
</dl>
${introduction(report)
  .slice(1)
  .map((line) => markup`<p>${line}</p>`)}`;
}

interface Outcome {
  readonly word: string;
  readonly style: 'good' | 'bad' | 'open';
  readonly reasons: readonly string[];
}

function outcomeOf(report: CompareReport): Outcome {
  const { requirements, baseline } = report;
  const unmet = requirements.filter(({ isMet }) => !isMet);
  const worse = baseline?.methods.filter(({ isWorse }) => isWorse) ?? [];
  if (!isAccepted(report)) {
    const reasons = [
      ...unmet.map((each) => {
        return `not met: ${requirementText(each)}; shown is ${each.value.toFixed(4)}`;
      }),
      ...worse.map(({ method, drop }) => {
        return `worse: ${method}, by ${drop === null ? 'an unknown drop' : drop.toFixed(4)}`;
      }),
    ];
    return { word: 'refused', style: 'bad', reasons };
  }
  if (requirements.length === 0 && baseline === null) {
    return { word: 'nothing was required', style: 'open', reasons: [] };
  }
  const kept = [
    ...(requirements.length === 0 ? [] : [`${plural(requirements.length, 'requirement')} met`]),
    ...(baseline === null ? [] : [`${plural(baseline.methods.length, 'method')} no worse`]),
  ];
  return { word: 'accepted', style: 'good', reasons: [kept.join(', ')] };
}

function factsOf({ campaign, summary, due, baseline }: CompareReport, input: string) {
  const { first, count } = campaign.seeds;
  const { seed, repetitions } = summary.bootstrap;
  const facts: (readonly [string, string])[] = [
    ['Methods', campaign.methods.join(', ')],
    ['Trials', `${summary.trials} of ${due}`],
    ['Seeds', count === 1 ? String(first) : `${first} to ${first + count - 1}`],
    ['Pages left out', `level ${campaign.level}, as far as a method can`],
    ['Machine', campaign.machine ?? plural(summary.images, 'panic image')],
    ['Results', input],
    ...(baseline === null ? [] : [['Accepted run', baseline.file] as const]),
    ...summary.mixes.map(({ name, title }) => [`Mix ${name}`, title] as const),
    ['Bootstrap', `${repetitions} repetitions, seed ${seed}`],
  ];
  return facts;
}

function contents(sections: readonly Section[]): Markup {
  const links = sections.map(({ title }, at) => {
    return markup`<li><a href="#part-${at}">${title}</a></li>`;
  });
  return markup`<nav aria-label="Contents"><ul>${links}</ul></nav>`;
}

const notSaid = 'not said';
const axes: Readonly<Record<StratumAxis, string>> = {
  point: 'crash point',
  crash: 'kind of crash',
  load: 'load',
};

/** By what scenarios say of themselves; where they say nothing, by scenario. */
function rateMaps(summary: Summary): Chart[] {
  const maps = (Object.keys(axes) as StratumAxis[]).flatMap((by) => {
    const rates = summary.strata
      .filter((stratum) => stratum.by === by)
      .map((stratum) => ({ ...stratum, value: stratum.value ?? notSaid }));
    if (new Set(rates.map(({ value }) => value)).size < 2) return [];
    return [rateMap(`Methods by ${axes[by]}`, rates, summary)];
  });
  const rates = summary.cells.map((cell) => ({ ...cell, value: cell.scenario }));
  return hasPoints(summary) ? maps : [rateMap('Methods by scenario', rates, summary), ...maps];
}

function changeMaps({ summary, baseline }: CompareReport): Chart[] {
  if (baseline === null || baseline.changes.length === 0) return [];
  const by = hasPoints(summary) ? 'point' : 'scenario';
  const changes = baseline.changes.map((change) => ({ ...change, value: change[by] ?? notSaid }));
  const axis = by === 'point' ? axes.point : by;
  return [changeMap(`Against the accepted run, by ${axis}`, changes, summary)];
}

function hasPoints({ strata }: Summary): boolean {
  return strata.some(({ by, value }) => by === 'point' && value !== null);
}

function tableMarkup({ note, head, rows, words }: TableSection): Markup {
  if (rows.length === 0) return markup`<p>None.</p>`;
  const columns = head.map((text, at): Column => {
    // A column of verdicts has no words over it elsewhere; to a reader of screens it must have.
    const named = text === '' ? 'result' : text;
    return words.includes(at) ? { head: named } : { head: named, kind: 'number' };
  });
  const cells = rows.map((row) =>
    row.map((text) =>
      /^[A-Z ]{4,}$/.test(text) ? markup`<strong class="bad">${text}</strong>` : text,
    ),
  );
  return table(note, columns, cells);
}
