/**
 * What one run on the emulated machine costs: CPU time and memory over many trials, of the
 * scenarios that come with tsdump in turn, by these methods. Goal: 50 ms a trial on average over
 * 1,000, and no more at the end of many than at the beginning. `npm run bench -- --trials 10000`
 * runs as many.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { createCodecs } from '../dist/codec/codecs.js';
import { openDump } from '../dist/dump/open.js';
import { overlaid } from '../dist/dump/overlay.js';
import { fileSource } from '../dist/host/file-source.js';
import { sha256 } from '../dist/host/sha256.js';
import { nodeZlib } from '../dist/host/zlib.js';
import { heldDump } from '../dist/machine/held-image.js';
import { numbered } from '../dist/trial/faults/strike.js';
import { parseScenario } from '../dist/trial/scenario.js';
import { Common, Trials } from '../dist/trial/trials.js';

const fixtures = join(dirname(fileURLToPath(import.meta.url)), '../fixtures');
const goalMs = 50;
/** Filter level of kdump's usual configuration. */
const level = 31;
const methods = ['diskdump', 'mkdump', 'kexec'];
const codecs = createCodecs(nodeZlib);

const open = (name) => openDump(fileSource(join(fixtures, 'machine', `${name}.kdump`)), { codecs });

function scenarios() {
  const folder = join(fixtures, 'scenarios');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => parseScenario(readFileSync(join(folder, name), 'utf8'), name));
}

/** One `Trials` an image, as a campaign has them. */
async function trialsByImage(names) {
  const base = heldDump(await open('base'));
  const common = new Common(codecs);
  const found = new Map();
  for (const name of new Set(names)) {
    const dump = overlaid(base, await open(name));
    found.set(name, new Trials(dump, { sha256 }, common));
  }
  return found;
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Runs `count` trials, and prints what a tenth of them after the other took. */
export async function benchTrials(count) {
  const mix = scenarios();
  const byImage = await trialsByImage(mix.map(({ image }) => image));
  const verdicts = new Map();
  const tenths = [];
  const begin = cpuMs();
  let last = begin;
  for (let index = 0; index < count; index++) {
    const scenario = mix[Math.floor(index / methods.length) % mix.length];
    const report = await byImage.get(scenario.image).run({
      method: methods[index % methods.length],
      level,
      faults: numbered(scenario.faults),
      seed: index,
      trigger: 'nobody',
    });
    const name = report.verdict.class;
    verdicts.set(name, (verdicts.get(name) ?? 0) + 1);
    if ((index + 1) % Math.ceil(count / 10) === 0 || index + 1 === count) {
      const now = cpuMs();
      tenths.push({ done: index + 1, ms: now - last, rss: process.memoryUsage().rss });
      last = now;
    }
  }
  print(tenths, (last - begin) / count, [...verdicts]);
}

function print(tenths, average, verdicts) {
  const table = new Table({
    head: ['trials', 'CPU ms each', 'of the average', 'RSS MB'],
    style: { head: [], border: [] },
  });
  let done = 0;
  for (const tenth of tenths) {
    const each = tenth.ms / (tenth.done - done);
    done = tenth.done;
    const share = `${(each / average).toFixed(2)}`;
    table.push([tenth.done, each.toFixed(1), share, (tenth.rss / 1e6).toFixed(0)]);
  }
  console.log(`\nTrials: every scenario in turn, ${methods.join(' and ')}, level ${level}`);
  console.log(table.toString());
  console.log(`verdicts: ${verdicts.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  const isMet = average <= goalMs ? 'yes' : 'NO';
  console.log(`CPU a trial: ${average.toFixed(1)} ms on average; goal ${goalMs} ms met: ${isMet}`);
}
