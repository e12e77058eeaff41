/** `tsdump repair`: what is broken is named, and what is mended is opened, by others too. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../bench/peers.mjs';
import { openInput } from '../../src/cli/input.ts';
import { contentOf } from '../../src/convert/content.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import type { Dump } from '../../src/dump/types.ts';
import { brokenDumps } from '../support/broken.ts';
import { machine, tsdump } from '../support/cli.ts';
import { openFixture } from '../support/fixture.ts';
import { comparePages } from '../support/foreign.ts';
import { findImage } from '../support/images.ts';
import { schemaProblems } from '../support/schemas.ts';

const makedumpfile = findProgram('makedumpfile');
if (makedumpfile === undefined) console.warn('skipped: no makedumpfile to open what is mended');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-repair-'));
afterAll(() => rmSync(folder, { recursive: true }));
const repair = (...words: readonly string[]) => tsdump(['repair', ...words], { cwd: folder });
const path = (name: string): string => join(folder, name);

let dump: Dump;
let content: DumpContent;

beforeAll(async () => {
  dump = await openFixture();
  content = contentOf(dump, 'elf').content;
  for (const make of Object.values(brokenDumps)) await make(folder, content);
}, 60_000);
afterAll(() => dump.close());

/** Does makedumpfile find the log? */
function findsLog(name: string): boolean {
  rmSync(path('dmesg'), { force: true });
  const run = spawnSync(makedumpfile!, ['--dump-dmesg', path(name), path('dmesg')]);
  return run.status === 0 && readFileSync(path('dmesg'), 'utf8').includes('sysrq triggered crash');
}

async function open(name: string): Promise<Dump> {
  return (await openInput([path(name)], {})).dump;
}

describe.each([
  ['noinfo.elf', 'the file has no VMCOREINFO'],
  ['moved.elf', 'the program headers are at 192, not at 64'],
  ['unplaced.elf', 'no segment has a physical address: they are taken from the virtual ones'],
  ['uncounted.elf', 'e_phnum has no place for the number of program headers and no section says'],
  ['base.kdump', 'VMCOREINFO is false: its page tables do not lead to a system'],
  ['stale.kdump', 'VMCOREINFO is false: its page tables do not lead to a system 5.0.0-other'],
  ['header.kdump', 'the header says phys_base '],
  ['offset.kdump', 'VMCOREINFO is false: KERNELOFFSET is 0x1000000, by _stext 0x'],
])('%s', (name, problem) => {
  test('without -o: what is wrong, nothing is written, status 1', () => {
    const before = readdirSync(folder);
    const { status, stdout } = repair(name);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`wrong: ${problem}`);
    expect(status).toBe(1);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('with -o: nothing is wrong with what was written, and its pages are the same', async () => {
    const mended = `mended-${name}`;
    expect(repair(name, '-o', mended).status).toBe(0);
    const again = repair(mended);
    expect(again.stdout).toContain('nothing is wrong with ');
    expect(again.status).toBe(0);
    const is = await open(mended);
    expect(comparePages(dump, is)).toBeGreaterThan(10_000);
    expect(is.format).toBe(name.endsWith('.elf') ? 'elf' : 'kdump');
    is.close();
  });
});

test.skipIf(makedumpfile === undefined).each(['noinfo.elf', 'moved.elf', 'base.kdump'])(
  'makedumpfile finds the log of %s when it is mended, and did not before',
  (name) => {
    repair(name, '-o', `log-${name}`);
    expect([findsLog(name), findsLog(`log-${name}`)]).toEqual([false, true]);
  },
);

describe('a cut dump', () => {
  test('becomes a sound one that says incomplete, and loses no page that was left', async () => {
    writeFileSync(path('cut.kdump'), readFileSync(machine).subarray(0, 9_000_000));
    const run = repair('cut.kdump', '-o', 'rest.kdump');
    expect(run.stdout).toContain('wrong: the dump is not whole: the file is cut at 9000000 bytes');
    expect(run.status).toBe(0);
    const [was, is] = [await open('cut.kdump'), await open('rest.kdump')];
    expect(is.incomplete).toBe('the header says incomplete');
    expect(comparePages(is, was)).toBe(comparePages(was, is));
    was.close();
    is.close();
  });
});

describe('regions of memory', () => {
  const regions = [
    [0, 0x1000],
    [0x10_0000, 0x400_0000],
    [0x400_0000, 0x800_0000],
  ] as const;

  beforeAll(() => {
    tsdump(['convert', machine, 'memory', '--to', 'raw'], { cwd: folder });
    const whole = readFileSync(path('memory'));
    for (const [index, [start, end]] of regions.entries()) {
      writeFileSync(path(`region${index}`), whole.subarray(start, end));
    }
  });
  const names = regions.map(([start], index) => `region${index}@0x${start.toString(16)}`);

  test('in any order become one dump with VMCOREINFO, which opens', () => {
    const run = repair(names[2]!, names[0]!, names[1]!, '-o', 'joined.kdump');
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
    const said = tsdump(['analyze', 'joined.kdump', 'sys'], { cwd: folder }).stdout;
    expect(said).toContain('sysrq triggered crash');
    if (makedumpfile !== undefined) expect(findsLog('joined.kdump')).toBe(true);
  });

  test('that hold the same memory, or have no address, are refused', () => {
    expect(repair(names[1]!, 'region2@0x3000000').status).toBe(5);
    expect(repair(names[1]!, 'region2').status).toBe(2);
    expect(repair('region1@0xfffffffffffff').status).toBe(2);
    expect(repair('nothing@0x0').status).toBe(6);
  });
});

test('nothing is wrong: status 0, and no file with -o', () => {
  const run = repair(machine, '-o', 'unneeded');
  expect(run.status).toBe(0);
  expect(run.stdout).toMatch(/^nothing is wrong with /);
  expect(readdirSync(folder)).not.toContain('unneeded');
});

test.each([[machine], ['noinfo.elf'], ['noinfo.elf', '-o', 'json.elf']])(
  '--json of %j %s %s: a document that its schema allows',
  (...words) => {
    const { stdout } = repair(...words, '--json');
    expect(schemaProblems(JSON.parse(stdout))).toEqual([]);
  },
);

const qemu = findImage('sysrq-full.flat');
test.skipIf(qemu === undefined)(
  'QEMU reads phys_base as hexadecimal: it is named and mended',
  () => {
    const run = repair(qemu!, '-o', 'qemu.kdump');
    expect(run.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'wrong: the header says phys_base 0xfffffffbdead8aae, the kernel 0xffffffffe6e00000',
    );
    expect(repair('qemu.kdump').status).toBe(0);
  },
);
