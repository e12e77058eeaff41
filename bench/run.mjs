/**
 * `npm run bench`: wall time and peak memory of first answers, ours and crash's, on the same file
 * in the same run; then the same questions about a file that is twenty times larger, because an
 * answer should cost what it touches; then what a trial on the emulated machine costs. Goals:
 * 0.5 s, 300 MB, 20 times faster than crash. Times are printed, never a reason to fail; a failed
 * command is, and so is a peer that CI has installed.
 */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { makeLarge } from './large.mjs';
import { median } from './measure.mjs';
import { findProgram, findSymbols } from './peers.mjs';
import { benchTrials } from './trials.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = join(root, 'bin/tsdump.js');
const dump = join(root, 'test/dumps/sysrq.kdump');
const questions = ['log', 'ps', 'bt -a'];
const goal = { seconds: 0.5, megabytes: 300, times: 20 };
const folder = mkdtempSync(join(tmpdir(), 'tsdump-bench-'));

const ask = (file, question) =>
  median(5, process.execPath, [program, 'analyze', file, ...question.split(' ')]);

/** One session of crash: start, one command, exit. Not with -s, which hides errors. */
async function askCrash(crash, symbols, file, question) {
  const commands = join(folder, 'commands');
  writeFileSync(commands, `${question}\nexit\n`);
  return median(1, crash, ['--no_scroll', '-i', commands, symbols, file]);
}

const number = (value, digits) => value.toFixed(digits);
const size = (file) => `${number(statSync(file).size / 1e6, 1)} MB`;
const verdict = (isMet) => (isMet ? 'yes' : 'NO');

async function compareWithCrash() {
  const first = await median(1, process.execPath, [program, 'analyze', dump, 'sys', '--json']);
  const release = /"release": ?"([^"]+)"/.exec(first.text)?.[1] ?? '';
  const crash = findProgram('crash');
  const symbols = findSymbols(release);
  if (!crash) console.log('No crash here: nothing to compare with (Debian: apt install crash).');
  else if (!symbols)
    console.log(`No debug symbols of ${release} here: crash cannot open the dump.`);
  const head = ['question', 'tsdump s', 'MB', 'crash s', 'MB', 'times faster', 'goal met'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const question of questions) {
    const ours = await ask(dump, question);
    const theirs = crash && symbols ? await askCrash(crash, symbols, dump, question) : undefined;
    const times = theirs ? theirs.seconds / ours.seconds : Number.NaN;
    const isMet =
      ours.seconds <= goal.seconds &&
      ours.megabytes <= goal.megabytes &&
      (theirs === undefined || times >= goal.times);
    table.push([
      question,
      number(ours.seconds, 2),
      number(ours.megabytes, 0),
      theirs ? number(theirs.seconds, 2) : '-',
      theirs ? number(theirs.megabytes, 0) : '-',
      theirs ? number(times, 0) : '-',
      verdict(isMet),
    ]);
  }
  console.log(`\n${basename(dump)}, ${size(dump)}: median of 5 runs, crash 1 run`);
  console.log(table.toString());
}

async function compareSizes() {
  const large = join(folder, 'large.kdump');
  await makeLarge(dump, large);
  const head = ['question', `${size(dump)} s`, 'MB', `${size(large)} s`, 'MB', 'goal met'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const question of questions) {
    const small = await ask(dump, question);
    const big = await ask(large, question);
    table.push([
      question,
      number(small.seconds, 2),
      number(small.megabytes, 0),
      number(big.seconds, 2),
      number(big.megabytes, 0),
      verdict(big.seconds <= goal.seconds && big.megabytes <= goal.megabytes),
    ]);
  }
  console.log('\nThe same memory with 256 MB of other pages and 4 GB of zero pages above it');
  console.log(table.toString());
}

/** `--trials N`: more of them than fit a quick look. */
function trialsAsked() {
  const at = process.argv.indexOf('--trials');
  const count = at < 0 ? 1000 : Number(process.argv[at + 1]);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`--trials ${process.argv[at + 1]}: not a number of trials`);
}

try {
  await compareWithCrash();
  await compareSizes();
  await benchTrials(trialsAsked());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
