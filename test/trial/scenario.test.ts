/** Scenario files: those that come along, and what is said of those that are wrong. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DumpError } from '../../src/bytes/errors.ts';
import { scenarioSchema } from '../../src/cli/reference.ts';
import { checkScenario, checkScenarioData, parseScenario } from '../../src/trial/scenario.ts';
import { root } from '../support/cli.ts';

const folder = join(root, 'fixtures/scenarios');
const files = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]);
const published: unknown = JSON.parse(
  readFileSync(join(root, 'docs/reference/json/scenario-1.json'), 'utf8'),
);

const validate = new Ajv2020({ allErrors: true, strict: true, strictRequired: false }).compile(
  scenarioSchema(),
);

test('the published schema is that of the kinds of faults (otherwise: npm run man)', () => {
  expect(published).toEqual(JSON.parse(JSON.stringify(scenarioSchema())));
});

describe('the files that come along', () => {
  test.each(files)(
    '%s is a scenario of that name, by the checker and by the schema',
    (file, text) => {
      expect(checkScenario(text!)).not.toHaveProperty('problems');
      expect(validate(parse(text!)), JSON.stringify(validate.errors)).toBe(true);
      expect(`${parseScenario(text!, file!).name}.yaml`).toBe(file);
    },
  );

  test('each tells in a line what happens, and in some what a reader learns', () => {
    for (const [file, text] of files) {
      const { title, why } = parseScenario(text!, file!);
      expect(title.length, file).toBeLessThan(80);
      expect(why.length, file).toBeGreaterThan(title.length);
    }
  });
});

const good = {
  name: 'mine',
  title: 'a title',
  why: 'a reason',
  image: 'null-process',
  load: 'idle',
};

/** Wrong in one place, most of them. */
const values: readonly unknown[] = [
  null, true, 0, 1, -1, 1.5, 3600, 3601, 1e9, '', ' ', 'x', 'a name', 'A', 'null-process', 'idle',
  'disk busy', 'complete', 'none', [], {}, ['x'], { x: 1 }, 'virtio-scsi', 'pvscsi',
  { kexec: 'none' }, { kexec: 'no' }, { lkcd: 'none' }, ['disk-busy'], [{ 'disk-busy': null }],
  [{ 'disk-busy': {} }], [{ 'disk-busy': { commands: 4 } }], [{ 'disk-busy': { commands: '4' } }],
  [{ 'disk-busy': { commands: 0 } }], [{ 'disk-busy': { comands: 4 } }], [{ 'disk-busy': [] }],
  [{ memory: null }], [{ memory: { by: 'dma' } }], [{ memory: { by: 'me' } }], [{ memory: {} }],
  [{ memory: { by: 'dma', at: 'x', region: 'slab' } }], [{ memory: { by: 'dma', at: 'x' } }],
  [{ memory: { by: 'dma', at: 'a b' } }], [{ memory: { by: 'dma', at: 0x1000 } }],
  [{ 'disk-busy': null, 'disk-slow': null }], [1], [null], ['disk'], [{ disk: null }],
  Array.from({ length: 65 }, () => 'disk-busy'),
]; // biome-ignore format: one table

test('the checker and the schema agree on what is right and what is wrong', () => {
  const members = [...Object.keys(good), 'hardware', 'faults', 'watchdog', 'expect', 'other'];
  let [right, wrong] = [0, 0];
  for (const member of members) {
    for (const value of values) {
      const data = { ...good, [member]: value };
      const isGood = validate(data);
      if (isGood) right++;
      else wrong++;
      const checked = checkScenarioData(data);
      expect('value' in checked, `${member}: ${JSON.stringify(value)}`).toBe(isGood);
    }
    const { [member as keyof typeof good]: _, ...without } = good;
    expect('value' in checkScenarioData(without), `no ${member}`).toBe(validate(without));
  }
  expect(Math.min(right, wrong)).toBeGreaterThan(20);
});

test('text that is no scenario is refused by words, whatever it is', () => {
  const [, text] = files[0]!;
  const mutated = fc
    .tuple(fc.string(), fc.nat(text!.length), fc.nat(40))
    .map(([insert, at, cut]) => text!.slice(0, at) + insert + text!.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string(), mutated), (mutant) => {
      const checked = checkScenario(mutant);
      if ('problems' in checked) expect(checked.problems.length).toBeGreaterThan(0);
    }),
  );
});

describe('what is wrong is said with its place', () => {
  const yaml = (more: string): string =>
    `name: mine\ntitle: t\nwhy: w\nimage: null-process\nload: idle\n${more}`;
  test.each([
    ['faults: [{memory: {by: dm}}]', 'faults[0].memory.by', 'unknown "dm" (did you mean dma?)'],
    ['faults: [disk-busy, cpu-deef]', 'faults[1]', 'there is no fault "cpu-deef" (did'],
    ['faults: ["disk-slow:factor=1"]', 'faults[0].disk-slow.factor', '1 is out of range'],
    ['hardwear: x', 'hardwear', 'there is no such member (did you mean hardware?)'],
    ['hardware: pvscis', 'hardware', 'unknown "pvscis" (did you mean pvscsi?)'],
    ['watchdog: soon', 'watchdog', '"soon" is no number of seconds'],
    ['expect: {kexec: non}', 'expect.kexec', 'unknown "non"'],
    ['name: twice', 'line 6', 'Map keys must be unique'],
    ['faults: [', 'line 6', ''],
    ['faults: &a [*a]', '', 'no usable YAML: '],
    ['- x', 'line 6', ''],
    ['watchdog: !!js/function 60', 'line 6', 'Unresolved tag'],
    ['---\nname: other', '', 'more than one document'],
  ])('%s', (more, path, message) => {
    const checked = checkScenario(yaml(more));
    const [problem] = 'problems' in checked ? checked.problems : [];
    expect(problem?.path).toBe(path);
    expect(problem?.message).toContain(message);
  });

  test('everything that is wrong is listed', () => {
    const checked = checkScenario('load: idel\nfaults: [{memory: {writes: 0}}]\n');
    const paths = 'problems' in checked ? checked.problems.map(({ path }) => path) : [];
    expect(paths).toEqual([
      ...['name', 'title', 'why', 'image', 'load'],
      ...['faults[0].memory.by', 'faults[0].memory.writes'],
    ]);
  });

  test('an error names the file and what is allowed', () => {
    const read = (): unknown => parseScenario(yaml('load2: x'), 'mine.yaml');
    expect(read).toThrow(DumpError);
    try {
      read();
    } catch (error) {
      expect(error).toMatchObject({ code: 'usage', where: { file: 'mine.yaml' } });
      expect((error as DumpError).hint).toContain('one of name, title');
    }
  });

  test.each([
    ['empty', ''],
    ['a list', '- x\n'],
    ['nested beyond all reason', '['.repeat(16_000)],
    ['too long', `why: ${'x'.repeat(17_000)}`],
    ['many aliases', `a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n`],
  ])('%s', (_, text) => {
    expect(checkScenario(text)).toHaveProperty('problems');
  });
});
