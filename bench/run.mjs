/**
 * `npm run bench`: wall time and peak memory of first answers, ours and crash's, on the same file
 * in the same run: the default machine, a small dump, and that of a guest of 4 GB with 1,000
 * processes, because an answer should cost what it touches; then what a trial on the emulated
 * machine costs, alone and in a campaign, what a dump server takes, and how fast pages are packed
 * (`npm run bench -- compare`, `-- serve`, `-- codecs`: only that). Times are printed, never a
 * reason to fail; a failed command is, and so is a peer that CI has installed. Where no guest can
 * be made, a large file is written instead.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchAnswers, benchList, crashFor } from './answers.mjs';
import { benchCodecs } from './codecs.mjs';
import { benchCompare } from './compare.mjs';
import { benchConvert, benchSparse } from './convert.mjs';
import { guestDump, large as largeGuest, middling } from './guest.mjs';
import { makeLarge } from './large.mjs';
import { benchServe } from './serve.mjs';
import { benchTrials } from './trials.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const machine = join(root, 'fixtures/machine/null-process.kdump');
const small = join(root, 'test/dumps/sysrq.kdump');
const questions = ['sys', 'bt', 'log', 'ps'];
const folder = mkdtempSync(join(tmpdir(), 'tsdump-bench-'));

/** A dump that is much larger than the small one. */
async function large() {
  const guest = guestDump(largeGuest);
  if (guest !== undefined) return { file: guest, title: largeGuest.title, isGuest: true };
  const file = join(folder, 'large.kdump');
  await makeLarge(small, file);
  const title = 'sysrq.kdump with 256 MB of other pages and 4 GB of zero pages above it';
  return { file, title, isGuest: false };
}

/** `--trials N`: more of them than fit a quick look. */
function trialsAsked() {
  const at = process.argv.indexOf('--trials');
  const count = at < 0 ? 1000 : Number(process.argv[at + 1]);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`--trials ${process.argv[at + 1]}: not a number of trials`);
}

async function benchAll() {
  const trials = trialsAsked();
  // An overlay: crash cannot open it.
  await benchAnswers('default machine', machine, [...questions, 'foreach bt'], folder, undefined);
  await benchList('default machine', machine, 'sym -l');
  await benchAnswers('sysrq.kdump', small, questions, folder, await crashFor(small));
  const { file, title, isGuest } = await large();
  const peer = isGuest ? await crashFor(file) : undefined;
  await benchAnswers(title, file, [...questions, 'foreach bt'], folder, peer);
  await benchList(title, file, 'sym -l');
  await benchTrials(trials);
  await benchCompare(folder, trials);
  await benchServe(folder);
  await benchCodecs(title, file, folder);
  await onlyConvert([middling]);
}

/** makedumpfile's own threads take minutes: of the smaller guest only. */
async function onlyConvert(guests) {
  for (const guest of guests) {
    const dump = guestDump(guest);
    const threads = guest === middling;
    if (dump !== undefined) await benchConvert(guest.title, dump, folder, { threads });
  }
  await benchSparse(folder);
}

async function onlyCodecs() {
  const { file, title } = await large();
  await benchCodecs(title, file, folder);
}

try {
  const [, , only] = process.argv;
  if (only === 'codecs') await onlyCodecs();
  else if (only === 'serve') await benchServe(folder);
  else if (only === 'compare') await benchCompare(folder, trialsAsked());
  else if (only === 'convert') await onlyConvert([middling, largeGuest]);
  else await benchAll();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
