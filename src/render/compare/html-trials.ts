/** The trials of a page that are worth to be run again, each with its command. */

import { plural } from '../../bytes/text.ts';
import type { Cause } from '../../compare/causes.ts';
import type { MethodSummary, Summary } from '../../compare/summary.ts';
import type { TrialLine } from '../../compare/trial-line.ts';
import { type Markup, markup } from '../markup.ts';
import { virtualTime } from '../words.ts';
import { exampleText } from './tables.ts';
import { replayCommand } from './words.ts';

/** Causes of a method that have their command in the page. */
const causesShown = 25;

export function trialSections({ methods }: Summary) {
  const failed = methods.filter(({ causes }) => causes.length > 0).map(failedTrials);
  const slow = methods.filter(({ slowest }) => slowest.length > 0).map(slowTrials);
  const none = markup`<p>None.</p>`;
  return [
    { title: 'Failed trials, to run again', body: markup`${failed.length === 0 ? none : failed}` },
    { title: 'Slow trials, to run again', body: markup`${slow.length === 0 ? none : slow}` },
  ];
}

function failedTrials({ method, causes, n, k }: MethodSummary): Markup {
  const shown = causes.slice(0, causesShown);
  const more = causes.length - shown.length;
  const rest = more === 0 ? [] : [markup`<p>${plural(more, 'cause')} more: --json has them.</p>`];
  const heading = `${plural(n - k, 'trial')} failed, ${plural(causes.length, 'cause')}`;
  return markup`<details><summary><code>${method}</code>: ${heading}</summary>
<ol>${shown.map(causeItem)}</ol>${rest}</details>`;
}

function causeItem({ count, stage, kind, object, verdict, example }: Cause): Markup {
  const by = [kind, object].filter((word) => word !== null).join(': ');
  const through = stage === null ? 'went through all stages' : `ended in ${stage}`;
  const what = [through, ...(by === '' ? [] : [by])].join(', ');
  const why = [example.reason, ...(example.failed?.cause ? [example.failed.cause] : [])];
  return markup`<li><p><strong>${plural(count, 'trial')}</strong> ${what}; \
<strong>${verdict}</strong>. For example ${exampleText(example)}: ${why.join('; ')}</p>
${command(example)}</li>`;
}

function slowTrials({ method, slowest, dumpNs }: MethodSummary): Markup {
  const usual = dumpNs === null ? '' : `; half of them took ${virtualTime(dumpNs[2]!)} at most`;
  const longest = virtualTime(slowest[0]!.dumpNs);
  const items = slowest.map((line) => {
    return markup`<li><p>${virtualTime(line.dumpNs)}: ${exampleText(line)}</p>
${command(line)}</li>`;
  });
  return markup`<details><summary><code>${method}</code>: up to ${longest}${usual}</summary>
<ol>${items}</ol></details>`;
}

function command(line: TrialLine): Markup {
  return markup`<pre><code>${replayCommand(line)}</code></pre>`;
}
