/**
 * Our answers against those of crash 8.0.6 for the same memory, fact by fact. Any difference must
 * stand in `differences.ts`, with a proof that this test runs.
 */

import { afterAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/analyze/table.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { openFile } from '../support/fixture.ts';
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

type Options = Readonly<Record<string, string | boolean>>;

async function ask(
  image: facts.Image,
  name: string,
  words: readonly string[] = [],
  options: Options = {},
): Promise<string[]> {
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) throw new Error(`no command ${name}`);
  const { run } = await command.load();
  const lines = [...run(await kernelOf(image), words, options, image.file).text()];
  // A record of the log may have several lines.
  return lines.join('\n').split('\n');
}

const needed = new Set<Difference>();

function isSaid(pattern: RegExp | undefined, said: string | undefined): boolean {
  return pattern === undefined ? said === undefined : pattern.test(said ?? '');
}

/** Fails with the disagreements that no entry of the table explains and proves. */
async function expectAgreement(
  image: facts.Image,
  command: Difference['commands'][number],
  crash: facts.Facts,
  ours: facts.Facts,
): Promise<void> {
  const kernel = await kernelOf(image);
  const all = facts.disagreements(crash, ours);
  const problems: string[] = [];
  for (const fact of all) {
    const entry = differences.find(
      (candidate) =>
        candidate.commands.includes(command) &&
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

describe.each(facts.realDumps)('$file', (image) => {
  if (!image.isHere) {
    test.skip(`skipped: no ${image.file} (set TSDUMP_IMAGES)`, () => {});
    return;
  }
  const answer = (section: string): readonly string[] => facts.crashAnswer(image, section);

  test('sys: every field', async () => {
    const crash = facts.sysFacts(answer('sys'));
    const ours = facts.sysFacts(await ask(image, 'sys'));
    expect(crash.size).toBe(13);
    await expectAgreement(image, 'sys', crash, ours);
  });

  test('log: every line', async () => {
    const crash = facts.lineFacts(answer('log'));
    const ours = facts.lineFacts(await ask(image, 'log'));
    expect(crash.size).toBeGreaterThan(400);
    await expectAgreement(image, 'log', crash, ours);
  });

  test('ps: every task, every column, in the same order', async () => {
    const crash = facts.psFacts(answer('ps'));
    const ours = facts.psFacts(await ask(image, 'ps'));
    expect(Number(crash.get('tasks'))).toBeGreaterThan(60);
    await expectAgreement(image, 'ps', crash, ours);
  });

  test('bt: the panic task, frame by frame with registers', async () => {
    const crash = facts.btFacts(answer('bt'));
    const ours = facts.btFacts(await ask(image, 'bt'));
    expect(crash.size).toBeGreaterThan(10);
    await expectAgreement(image, 'bt', crash, ours);
  });

  test('bt -a: every CPU', async () => {
    const crash = facts.btFacts(answer('bt-a'));
    const ours = facts.btFacts(await ask(image, 'bt', [], { active: true }));
    await expectAgreement(image, 'bt -a', crash, ours);
  });

  test('bt of every task: functions, addresses and stack positions', async () => {
    const lines = answer('foreach-bt');
    const tasks = lines.flatMap((line) => /^PID: .* TASK: (\w+)/.exec(line)?.[1] ?? []);
    expect(tasks.length).toBeGreaterThan(60);
    const ours = facts.btFacts(await ask(image, 'bt', tasks));
    await expectAgreement(image, 'foreach bt', facts.btFacts(lines), ours);
  });

  test('mod: every module', async () => {
    const crash = facts.rowFacts(answer('mod'));
    const ours = facts.rowFacts(await ask(image, 'mod'));
    expect(crash.size).toBeGreaterThan(10);
    await expectAgreement(image, 'mod', crash, ours);
  });

  test('sym: by name, and everything with a text in its name', async () => {
    const crash = facts.rowFacts([...answer('sym-q-sysrq'), ...answer('sym-linux_banner')]);
    const query = await ask(image, 'sym', [], { query: 'sysrq' });
    const ours = facts.rowFacts([...query, ...(await ask(image, 'sym', ['linux_banner']))]);
    expect(crash.size).toBeGreaterThan(100);
    await expectAgreement(image, 'sym', crash, ours);
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

afterAll(async () => {
  for (const kernel of opened.values()) (await kernel).dump.close();
});

test('no entry of the table of differences is left over', () => {
  const allHere = facts.realDumps.every(({ isHere }) => isHere);
  if (allHere) expect(differences.filter((entry) => !needed.has(entry))).toEqual([]);
});
