/**
 * How long answers take, ours and crash's, about the same file in the same run. Goals: a first
 * answer in 0.3 s, `foreach bt` in 1 s (of 1,000 tasks), 300 MB, 20 times faster than crash.
 */

import { statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { measure, median } from './measure.mjs';
import { findProgram, findSymbols } from './peers.mjs';

const program = join(dirname(fileURLToPath(import.meta.url)), '../bin/tsdump.js');
const runs = 5;
const goal = { megabytes: 300, times: 20, first: 0.3, 'foreach bt': 1 };

const number = (value, digits) => (value === undefined ? '-' : value.toFixed(digits));
const words = (file, question) => [program, 'analyze', file, ...question.split(' ')];
const table = (head) => new Table({ head, style: { head: [], border: [] } });

const size = (file) => `${number(statSync(file).size / 1e6, 1)} MB`;

/** The program and the symbols with which it can open this dump; says why there are none. */
export async function crashFor(file) {
  const { text } = await measure(process.execPath, [...words(file, 'sys'), '--json']);
  const release = /"release": ?"([^"]+)"/.exec(text)?.[1] ?? '';
  const crash = findProgram('crash');
  const symbols = findSymbols(release);
  if (!crash) console.log('No crash here: nothing to compare with (Debian: apt install crash).');
  else if (!symbols) console.log(`No debug symbols of ${release} here: crash cannot open it.`);
  return crash && symbols ? { crash, symbols } : undefined;
}

/** One session of crash: start, one command, exit. Not with -s, which hides errors. */
function askCrash({ crash, symbols }, file, question, folder) {
  const commands = join(folder, 'commands');
  writeFileSync(commands, `${question}\nexit\n`);
  return median(1, crash, ['--no_scroll', '-i', commands, symbols, file]);
}

/** Prints a table of the questions; `peer` is what `crashFor` gave. */
export async function benchAnswers(title, file, questions, folder, peer) {
  const head = ['question', 'tsdump s', 'CPU s', 'MB', 'crash s', 'MB', 'times faster', 'goal met'];
  const rows = table(head);
  for (const question of questions) {
    const ours = await median(runs, process.execPath, words(file, question));
    const theirs = peer && (await askCrash(peer, file, question, folder));
    const times = theirs && theirs.seconds / ours.seconds;
    const isMet =
      ours.seconds <= (goal[question] ?? goal.first) &&
      ours.megabytes <= goal.megabytes &&
      (times === undefined || times >= goal.times);
    rows.push([
      question,
      number(ours.seconds, 2),
      number(ours.cpu, 2),
      number(ours.megabytes, 0),
      number(theirs?.seconds, 2),
      number(theirs?.megabytes, 0),
      number(times, 0),
      isMet ? 'yes' : 'NO',
    ]);
  }
  const busy = `load ${number(loadavg()[0], 1)} on ${cpus().length} CPUs`;
  console.log(`\n${title}, ${size(file)}: median of ${runs} runs, crash 1 run; ${busy}`);
  console.log(rows.toString());
}

/** Prints when the first and the last line of a long list are there. */
export async function benchList(title, file, question) {
  const all = await median(runs, process.execPath, words(file, question));
  const command = [process.execPath, ...words(file, question)].map((word) => `'${word}'`).join(' ');
  const head = await median(runs, 'sh', ['-c', `${command} 2>/dev/null | head`]);
  const rows = table(['list', 'lines', 'first line s', 'last line s', 'MB', 'by `| head` s']);
  rows.push([
    question,
    all.text.split('\n').length - 1,
    number(all.first, 2),
    number(all.seconds, 2),
    number(all.megabytes, 0),
    number(head.seconds, 2),
  ]);
  console.log(`\n${title}: a long list`);
  console.log(rows.toString());
}
