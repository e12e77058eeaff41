/**
 * Every image of the grid of scenarios, run by every method: whatever it ends in, the method ends
 * it. And the grid as data: each cell is an image or a reason, each name is one scenario.
 */

import { afterAll, describe, expect, test } from 'vitest';
import { gridImages } from '../../fixtures/build/grid.ts';
import { catalogue } from '../../src/capture/catalogue.ts';
import { imageNames, openImage } from '../../src/cli/images.ts';
import { findScenario, gridNamed, missingCells, scenariosOf } from '../../src/cli/library.ts';
import { world } from '../../src/cli/world.ts';
import { numbered } from '../../src/trial/faults/strike.ts';
import { gridScenarios, parseGrid } from '../../src/trial/grid.ts';
import { Common, Trials } from '../../src/trial/trials.ts';
import { strictest } from '../support/machines.ts';

const known = gridNamed('lkdtm')!;
const scenarios = scenariosOf(known);
const idle = scenarios.filter(({ name }) => name.endsWith('/idle'));
const common = new Common(world.codecs);

describe('lkdtm', () => {
  test('eight points, eight types, four loads; every cell is an image or a reason', () => {
    const { points, types, loads } = known.grid;
    expect([points.length, types.length, loads.length]).toEqual([8, 8, 4]);
    const missing = missingCells(known).flatMap(({ cells }) => cells);
    expect(idle.length + missing.length).toBe(64);
    expect(scenarios).toHaveLength(idle.length * loads.length);
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  });

  test('it has every image that was made for it, each in its own cell', () => {
    const images = idle.map(({ image }) => image);
    expect(new Set(images).size).toBe(images.length);
    expect(images).toEqual(expect.arrayContaining(gridImages.map(({ name }) => name)));
    expect(imageNames()).toEqual(expect.arrayContaining(images));
    for (const { name, image } of idle) {
      const [, point, type] = name.split('/');
      const made = gridImages.find((candidate) => candidate.name === image);
      if (made !== undefined) expect(image).toBe(`${point}-${type}`);
    }
  });

  test('a load is the same faults in every cell', () => {
    for (const { name, load, faults } of scenarios) {
      const kinds = faults.map(({ kind }) => kind);
      const disk = ['disk-busy', 'queue-busy', 'busy-writer'];
      const of = { idle: [], 'disk busy': disk, 'network busy': ['network-busy'] };
      expect([name, kinds]).toEqual([name, load === 'both' ? [...disk, 'network-busy'] : of[load]]);
    }
  });

  test('a scenario is found by its name', () => {
    for (const { name } of scenarios) expect(findScenario(name).scenario.name).toBe(name);
  });
});

describe('a file that is no grid is refused with the place', () => {
  const text = (cells: string, loads = 'l: {title: t, load: idle}'): string =>
    `name: g\ntitle: t\nloads: {${loads}}\ntypes: {bug: {title: t, why: w}}\n` +
    `points: {p: {title: t, why: w, ${cells}}}\n`;
  test.each([
    ['- x', 'a grid: is no map'],
    ['a: [', 'Flow sequence in block collection must be'],
    [text('images: {}'), 'points.p.missing.bug: is no text'],
    [text('images: {bug: [x]}'), 'points.p.images.bug: is no text'],
    [text('images: x'), 'points.p.images: is no map'],
    [text('images: {bug: bug}', 'l: {title: t, load: idel}'), 'g/p/bug/l: load: unknown "idel"'],
    [text('images: {bug: bug}', 'l: {title: t, load: idle, faults: [dsk]}'), 'faults[0]: there is'],
    [text('images: {bug: "A B"}'), 'g/p/bug/l: image: "A B" is no name'],
  ])('%j', (content, message) => {
    const read = (): unknown => gridScenarios(parseGrid(content, 'g.yaml'), 'g.yaml');
    expect(read).toThrow(expect.objectContaining({ code: 'usage', where: { file: 'g.yaml' } }));
    expect(read).toThrow(message);
  });
});

describe.each(idle.map((scenario) => [scenario.name, scenario] as const))('%s', (_, scenario) => {
  let close = (): void => {};
  afterAll(() => close());

  test('every method comes to an end, and says where it failed', async () => {
    const { dump, options } = await openImage(scenario.image);
    close = () => dump.close();
    const trials = new Trials(dump, { sha256: world.sha256, ...options }, common);
    for (const { name: method } of catalogue) {
      const level = strictest(method);
      const faults = numbered(scenario.faults);
      const report = await trials.run({ method, level, faults, seed: 1, trigger: 'nobody' });
      const verdict = report.verdict.class;
      if (verdict === 'none') expect(report.failed?.cause, method).toMatch(/./);
      expect(['complete', 'inaccurate', 'none', 'not-triggered', 'unreadable']).toContain(verdict);
    }
  });
});

test.each(scenarios.filter(({ name }) => /^lkdtm\/timer\/panic\/(?!idle)/.test(name)))(
  '$name: what the load does to a machine is seen by whom it concerns',
  async ({ image, load, faults }) => {
    const { dump, options } = await openImage(image);
    const trials = new Trials(dump, { sha256: world.sha256, ...options }, common);
    const verdict = async (method: string): Promise<string> => {
      const level = strictest(method);
      const run = { method, level, faults: numbered(faults), seed: 1, trigger: 'nobody' } as const;
      return (await trials.run(run)).verdict.class;
    };
    expect(await verdict('lkcd-disk:2003')).toBe(load === 'network busy' ? 'inaccurate' : 'none');
    // Packets that arrive until its own driver resets the card are in its dump.
    expect(await verdict('kexec')).toBe(load === 'disk busy' ? 'complete' : 'inaccurate');
    expect(await verdict('hypervisor')).toBe('complete');
    dump.close();
  },
);
