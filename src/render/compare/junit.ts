/**
 * A comparison as JUnit XML: what fails are gates. A scenario of a method is a test that tells its
 * count; no dump is sure, and a trial that failed is no failure of the campaign.
 */

import { type CompareReport, isWhole } from '../../compare/report.ts';
import type { CellSummary } from '../../compare/summary.ts';
import { type Markup, markup } from '../markup.ts';
import { requirementText } from './tables.ts';
import { replayCommand } from './words.ts';

interface Case {
  readonly name: string;
  readonly failure?: string | undefined;
  readonly skipped?: string | undefined;
  readonly output?: string | undefined;
}

export function junitXml(report: CompareReport): string {
  const { summary, requirements, baseline } = report;
  const suites = [
    suite(
      'requirements',
      requirements.map((each) => {
        const end = `the interval's worse end is ${each.value.toFixed(4)}`;
        const shown = `${each.k} of ${each.n}: ${end}`;
        return {
          name: requirementText(each),
          ...(each.isMet ? { output: shown } : { failure: shown }),
        };
      }),
    ),
    suite(
      'baseline',
      (baseline?.methods ?? []).map((each) => {
        const fell = each.drop === null ? 'nothing to compare' : `fell by ${each.drop.toFixed(4)}`;
        const shown = `${fell}, p ${each.p.toPrecision(3)}, by Holm ${each.holm.toPrecision(3)}`;
        return { name: each.method, ...(each.isWorse ? { failure: shown } : { output: shown }) };
      }),
    ),
    suite('campaign', [
      {
        name: 'all trials',
        skipped: isWhole(report) ? undefined : `${summary.trials} of ${report.due} trials`,
      },
    ]),
    ...summary.methods.map(({ method, causes }) => {
      const cells = summary.cells.filter((cell) => cell.method === method);
      return suite(
        method,
        cells.map((cell) => {
          const cause = causes.find(({ example }) => example.scenario === cell.scenario);
          return caseOf(cell, cause === undefined ? '' : `\n${replayCommand(cause.example)}`);
        }),
      );
    }),
  ];
  const text = markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="tsdump compare">
${suites}
</testsuites>
`;
  return text.text;
}

function caseOf({ scenario, n, k, classes }: CellSummary, more: string): Case {
  const counts = Object.entries(classes).flatMap(([name, count]) =>
    count > 0 ? [`${name} ${count}`] : [],
  );
  const output = `${k} of ${n} complete: ${counts.join(', ')}${more}`;
  return { name: scenario, ...(n === 0 ? { skipped: counts.join(', ') } : { output }) };
}

function suite(name: string, cases: readonly Case[]): Markup {
  const failures = cases.filter(({ failure }) => failure !== undefined).length;
  const skipped = cases.filter((each) => each.skipped !== undefined).length;
  return markup`<testsuite name="${name}" tests="${cases.length}" failures="${failures}" \
errors="0" skipped="${skipped}">
${cases.map((each) => testCase(name, each))}
</testsuite>`;
}

function testCase(suiteName: string, { name, failure, skipped, output }: Case): Markup {
  return markup`<testcase classname="${suiteName}" name="${name}">\
${failure === undefined ? [] : [markup`<failure message="${failure}"/>`]}\
${skipped === undefined ? [] : [markup`<skipped message="${skipped}"/>`]}\
${output === undefined ? [] : [markup`<system-out>${output}</system-out>`]}</testcase>`;
}
