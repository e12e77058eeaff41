/** Every scenario that comes along, run by every method: it ends as its file says it does. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Image, openImage } from '../../src/cli/images.ts';
import { world } from '../../src/cli/world.ts';
import { hardwareProfile } from '../../src/machine/hardware.ts';
import { parseFault } from '../../src/trial/faults/fault.ts';
import { numbered } from '../../src/trial/faults/strike.ts';
import { parseScenario, type Scenario } from '../../src/trial/scenario.ts';
import { Common, Trials } from '../../src/trial/trials.ts';
import { verdictClasses } from '../../src/trial/verdict-classes.ts';
import { root } from '../support/cli.ts';
import { strictest } from '../support/machines.ts';

const folder = join(root, 'fixtures/scenarios');
const scenarios = readdirSync(folder).map((file) =>
  parseScenario(readFileSync(join(folder, file), 'utf8'), file),
);

const common = new Common(world.codecs);
const images = new Map<string, Image>();
const trials = new Map<string, Trials>();
afterAll(() => {
  for (const { dump } of images.values()) dump.close();
});

async function trialsOf({ image, hardware }: Scenario): Promise<Trials> {
  const key = `${image} ${hardware}`;
  const opened = images.get(image) ?? (await openImage(image));
  images.set(image, opened);
  const profile = hardware === undefined ? {} : { hardware: hardwareProfile(hardware) };
  const machine = { sha256: world.sha256, ...opened.options, ...profile };
  const found = trials.get(key) ?? new Trials(opened.dump, machine, common);
  trials.set(key, found);
  return found;
}

test('each says what it expects of every method, or why it expects nothing', () => {
  for (const { name, why, expect: verdicts } of scenarios) {
    const methods = Object.keys(verdicts);
    if (methods.length === 0) expect(why, name).toContain('no verdict is the expected one');
    else expect(methods, name).toEqual(expect.arrayContaining(['kexec', 'mkdump']));
  }
});

test('every class of the judge is expected somewhere, but undecidable: our images are whole', () => {
  const expected = new Set(scenarios.flatMap(({ expect: verdicts }) => Object.values(verdicts)));
  const decidable = verdictClasses.filter((each) => each !== 'undecidable');
  expect(decidable.filter((each) => !expected.has(each))).toEqual([]);
});

const expecting = scenarios.filter((scenario) => Object.keys(scenario.expect).length > 0);

describe.each(expecting.map((scenario) => [scenario.name, scenario] as const))(
  '%s',
  (_, scenario) => {
    test.each(Object.entries(scenario.expect))('%s: %s', async (method, verdict) => {
      const { watchdog, trigger = 'nobody' } = scenario;
      const more = watchdog === undefined ? [] : [parseFault(`watchdog:seconds=${watchdog}`)];
      const faults = numbered([...scenario.faults, ...more]);
      const run = await trialsOf(scenario);
      const seeds = scenario.faults.length === 0 ? [1] : [1, 2];
      for (const seed of seeds) {
        const level = strictest(method);
        const report = await run.run({ method, level, faults, seed, trigger });
        expect(report.verdict.class, report.failed?.cause).toBe(verdict);
      }
    });
  },
);
