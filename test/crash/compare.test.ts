/**
 * Our answers against those of crash 8.0.6 for the same memory: all of its commands on every real
 * dump. They are equal line for line, or fact for fact but for what stands in `differences.ts` with
 * a proof that this test runs, or crash's command is not ours yet; how many are which is printed.
 */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { answer } from '../../src/analyze/answer.ts';
import { commands } from '../../src/analyze/table.ts';
import { plural } from '../../src/bytes/text.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { openFile } from '../support/fixture.ts';
import { type Compared, compared } from './commands.ts';
import { type Difference, differences } from './differences.ts';
import * as facts from './facts.ts';

const opened = new Map<string, Promise<Kernel>>();

function kernelOf(image: facts.Image): Promise<Kernel> {
  const known = opened.get(image.file);
  if (known !== undefined) return known;
  const kernel = openFile(image.path).then(openKernel);
  opened.set(image.file, kernel);
  return kernel;
}

/** `$1` counts the values of a session: it says nothing about one of them. */
function comparable(lines: Iterable<string>): string[] {
  const text = [...lines].join('\n').replace(/\$\d+ = /g, '$N = ');
  return text.trimEnd().split('\n');
}

async function ask(image: facts.Image, line: string): Promise<string[]> {
  return comparable((await answer(await kernelOf(image), line)).text());
}

const needed = new Set<Difference>();

function isSaid(pattern: RegExp | undefined, said: string | undefined): boolean {
  return pattern === undefined ? said === undefined : pattern.test(said ?? '');
}

/** Fails with the disagreements that no entry of the table explains and proves. */
async function expectAgreement(
  image: facts.Image,
  line: string,
  crash: facts.Facts,
  ours: facts.Facts,
): Promise<void> {
  const kernel = await kernelOf(image);
  const all = facts.disagreements(crash, ours);
  const problems: string[] = [];
  for (const fact of all) {
    const entry = differences.find(
      (candidate) =>
        candidate.commands.includes(line) &&
        candidate.key.test(fact.key) &&
        isSaid(candidate.crash, fact.crash) &&
        isSaid(candidate.ours, fact.ours),
    );
    if (entry !== undefined) needed.add(entry);
    if (entry?.proof(kernel, fact, { ours, all }) === true) continue;
    const unproved = entry === undefined ? '' : ` (not borne out by memory: ${entry.why})`;
    problems.push(`${fact.key}: crash ${fact.crash}, ours ${fact.ours}${unproved}`);
  }
  if (problems.length === 0) return;
  const shown = problems.slice(0, 12).join('\n  ');
  throw new Error(`${problems.length} of ${crash.size} facts are not crash's:\n  ${shown}`);
}

/** How each command came out, on each image. */
type Outcome = 'equal' | 'proved';
const outcomes = new Map<Compared, Map<facts.Image, Outcome>>();

const answered = compared.filter(({ section }) => section !== undefined);
const unanswered = compared.filter(({ section }) => section === undefined);

describe.each(facts.realDumps)('$file', (image) => {
  if (!image.isHere) {
    test.skip(`skipped: no ${image.file} (set TSDUMP_IMAGES)`, () => {});
    return;
  }
  test.each(answered)('$line', async (command) => {
    const { line, section, atLeast, facts: factsOf } = command;
    const crash = comparable(facts.crashAnswer(image, section!));
    expect(crash.length).toBeGreaterThanOrEqual(atLeast);
    const ours = await ask(image, line);
    const isEqual = crash.join('\n') === ours.join('\n');
    if (factsOf === undefined) expect(ours).toEqual(crash);
    else await expectAgreement(image, line, factsOf(crash), factsOf(ours));
    const of = outcomes.get(command) ?? new Map<facts.Image, Outcome>();
    outcomes.set(command, of.set(image, isEqual ? 'equal' : 'proved'));
  });
});

test('canary: a return address left on the stack by an earlier call is not accepted', async () => {
  const image = facts.realDumps.find(({ file }) => file === 'sysrq.kdump')!;
  const lines = await ask(image, 'bt');
  const at = lines.findIndex((line) => line.includes('entry_SYSCALL_64_after_hwframe'));
  // What crash 8.0.2, which does not use ORC, shows between these two frames.
  lines.splice(at, 0, ' #9 [ffffd090c0013cd0] filp_close at ffffffff9a547e4b');
  const crash = facts.btFacts(facts.crashAnswer(image, 'bt'));
  const agreement = expectAgreement(image, 'bt', crash, facts.btFacts(lines));
  await expect(agreement).rejects.toThrow(/filp_close.*not borne out/);
});

describe('all of crash', () => {
  /** The fixture is one of them once more: it counts where it is alone. */
  const real = facts.realDumps.filter(({ file, isHere }) => isHere && file !== 'sysrq.kdump');
  const images = real.length > 0 ? real : facts.realDumps.filter(({ isHere }) => isHere);

  test('the table has every command of the file that crash was given', () => {
    const file = join(dirname(images[0]!.path), 'crash.cmds');
    if (!existsSync(file)) return;
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect([...compared.map(({ line }) => line), 'exit'].sort()).toEqual(lines.sort());
  });

  test.each(unanswered)('$line is not ours yet: once it is, it is compared', ({ line }) => {
    expect(commands.map(({ name }) => name)).not.toContain(line.split(' ')[0]);
  });

  test('is counted: equal, equal but for proved differences, not ours yet', () => {
    const count = (command: Compared, wanted: Outcome): number =>
      images.filter((image) => outcomes.get(command)?.get(image) === wanted).length;
    const everywhere = answered.filter((command) => count(command, 'equal') === images.length);
    const proved = answered.filter((command) => !everywhere.includes(command));
    const named = (list: readonly Compared[]): string => list.map(({ line }) => line).join(', ');
    const partly = proved.map((command) => {
      return `${command.line} (${count(command, 'equal')} of ${images.length} equal)`;
    });
    console.log(
      [
        `crash 8.0.6: equal: ${everywhere.length} of ${compared.length} commands on ` +
          `${plural(images.length, 'image')}: ${named(everywhere)}`,
        `equal but for proved differences: ${proved.length}: ${partly.join(', ')}`,
        `not ours yet: ${unanswered.length}: ${named(unanswered)}`,
      ].join('\n  '),
    );
    for (const command of answered) {
      expect(count(command, 'equal') + count(command, 'proved'), command.line).toBe(images.length);
    }
  });

  test('no entry of the table of differences is left over', () => {
    const allHere = facts.realDumps.every(({ isHere }) => isHere);
    if (allHere) expect(differences.filter((entry) => !needed.has(entry))).toEqual([]);
  });
});

afterAll(async () => {
  for (const kernel of opened.values()) (await kernel).dump.close();
});
