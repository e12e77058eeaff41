/** `tsdump check`: verdicts of whole, filtered, cut and damaged dumps, of every format. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentsOf, haveImages, images, machine, root, tsdump } from '../support/cli.ts';
import { writeRecipes } from '../support/recipe-files.ts';
import { schemaProblems } from '../support/schemas.ts';
import { xmlProblems } from '../support/xml.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-check-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// No Buffer: a slice of one is no copy.
const whole = new Uint8Array(readFileSync(machine));

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

interface Part {
  readonly name: string;
  readonly readable: number;
  readonly lost: number | null;
  readonly why: readonly { readonly why: string; readonly count: number }[];
}

function checked(words: readonly string[]) {
  const run = tsdump(['check', '--json', ...words]);
  const documents = documentsOf(run.stdout);
  for (const document of documents) expect(schemaProblems(document)).toEqual([]);
  const [{ data }] = documents;
  const part = (name: string): Part => data.kernel.find((each: Part) => each.name === name);
  return { ...run, documents, data, part };
}

describe('check of a filtered dump', () => {
  const { status, stdout, stderr } = tsdump(['check', machine]);

  test('ends with the verdict, and with status 0', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const last = stdout.trimEnd().split('\n').slice(-2).join(' ');
    expect(last.replace(/ +/g, ' ')).toBe(
      'filtered: level 23 (zero, cache, private-cache, free); ' +
        '17445 of 20480 pages (3035 left out); ' +
        'log, tasks, backtraces and modules can be read',
    );
    expect(stdout).toContain('structure: nothing contradicts itself');
  });

  test('fits a terminal of 80 columns', () => {
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  test('as JSON it has every range, and the kernel in numbers', () => {
    const { data, part } = checked([machine]);
    expect(data.verdict.name).toBe('filtered');
    expect(data.pages).toEqual({ stored: 17445, zero: 0, excluded: 3035, missing: 0, damaged: 0 });
    const length = (state: string): number =>
      data.runs
        .filter((run: { state: string }) => run.state === state)
        .reduce((sum: number, run: { first: number; end: number }) => sum + run.end - run.first, 0);
    expect(length('stored')).toBe(17445);
    expect(length('excluded')).toBe(3035);
    expect(data.excludedAs).toEqual([
      { name: 'free', count: 2215 },
      { name: 'cache', count: 820 },
    ]);
    expect(part('tasks')).toMatchObject({ readable: 63, lost: 0 });
    expect(part('log records')).toMatchObject({ readable: 402, lost: 0 });
    expect(part('modules')).toMatchObject({ readable: 10, lost: 0 });
    expect(part('variables').lost).toBe(0);
  });

  test('--quick decodes nothing and says so', () => {
    const run = checked([machine, '--quick']);
    expect(run.status).toBe(0);
    expect(run.data.decoded).toBe(0);
    expect(run.data.verdict.text).toContain('none of them decoded');
  });

  test('--quiet gives one line for each file', () => {
    const run = tsdump(['check', '--quick', '--quiet', machine, machine]);
    expect(run.stdout.trimEnd().split('\n')).toEqual(
      Array.from({ length: 2 }, () => expect.stringContaining(`${machine}: filtered: level 23`)),
    );
  });

  test('--svg makes a picture, and overwrites none', () => {
    const path = join(folder, 'map.svg');
    expect(tsdump(['check', '--quick', machine, '--svg', path]).status).toBe(0);
    const svg = readFileSync(path, 'utf8');
    expect(xmlProblems(svg)).toEqual([]);
    expect(svg).toContain('left out by the filter');
    expect(tsdump(['check', '--quick', machine, '--svg', path]).status).toBe(6);
    expect(tsdump(['check', '--quick', machine, '--svg', machine]).status).toBe(2);
    expect(tsdump(['check', '--quick', machine, '--svg', '-']).stdout).toBe(svg);
  });
});

describe('check of a dump that was cut', () => {
  test.each([30, 90])('at %i %: incomplete, status 1, the rest counted', (percent) => {
    const size = Math.floor((whole.length * percent) / 100);
    const { status, data } = checked([written(`cut-${percent}`, whole.subarray(0, size))]);
    expect(status).toBe(1);
    expect(data.verdict.name).toBe('incomplete');
    expect(data.verdict.text).toContain('% of the pages that should be there');
    expect(data.pages.stored + data.pages.missing).toBe(17445);
    expect(data.pages.missing).toBeGreaterThan(0);
    expect(data.findings[0]).toMatchObject({ kind: 'cut', where: { offset: size } });
  });

  test('what is lost of the kernel is lost behind the cut', () => {
    const half = whole.subarray(0, Math.floor(whole.length * 0.6));
    const { data } = checked([written('half', half)]);
    const lost = (data.kernel ?? []).filter((part: Part) => part.lost !== 0);
    const reasons = lost.flatMap((part: Part) => part.why.map(({ why }) => why));
    expect(reasons).toContain('its page is behind the cut');
  });

  test('inside its headers it cannot be opened: status 4', () => {
    const { status, stderr } = tsdump(['check', written('headers', whole.subarray(0, 5000))]);
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringContaining('truncated') });
  });
});

describe('check of a LiME image', () => {
  const lime = (...headers: readonly (readonly [magic: string, at: number, end: number])[]) =>
    Buffer.concat(
      headers.map(([magic, at, end]) => {
        const range = Buffer.alloc(32 + end - at);
        range.write(magic);
        range.writeUInt32LE(1, 4);
        range.writeBigUInt64LE(BigInt(at), 8);
        range.writeBigUInt64LE(BigInt(end - 1), 16);
        return range;
      }),
    );

  test('a header that is none is damage at its offset; the pages before it are counted', () => {
    const file = written('bad.lime', lime(['EMiL', 0x1000, 0x3000], ['LiMe', 0x8000, 0x9000]));
    const { status, data } = checked([file]);
    expect({ status, verdict: data.verdict.name }).toEqual({ status: 1, verdict: 'damaged' });
    expect(data.pages.stored).toBe(2);
    expect(data.findings).toMatchObject([{ kind: 'damage', where: { offset: 32 + 0x2000 } }]);
  });

  test('zeros where a header should be are a writer that stopped', () => {
    const room = Buffer.concat([lime(['EMiL', 0x1000, 0x3000]), Buffer.alloc(4096)]);
    const { data } = checked([written('room.lime', room)]);
    expect(data.verdict.name).toBe('incomplete');
    expect(data.findings).toMatchObject([{ kind: 'cut', where: { offset: 32 + 0x2000 } }]);
  });

  test('ranges in disorder are a remark', () => {
    const file = written('order.lime', lime(['EMiL', 0x8000, 0x9000], ['EMiL', 0x1000, 0x2000]));
    expect(checked([file]).data.findings).toMatchObject([
      { kind: 'remark', where: { offset: 32 + 0x1000 } },
    ]);
  });
});

describe('check of formats that have no list of pages', () => {
  const path = join(folder, 'vmcore.lkcd');

  test.each(['lkcd', 'lime', 'raw'])('%s: the kernel counts what is left out', (format) => {
    const file = join(folder, `vmcore.${format}`);
    expect(tsdump(['convert', machine, file, '--to', format, '--quiet']).status).toBe(0);
    const { status, data } = checked([file, '--quick']);
    expect(status).toBe(0);
    expect(data.verdict.name).toBe('filtered');
    expect(data.verdict.text).toContain('17445 of 20350 pages');
  });

  test('what a cut of LKCD has lost its header tells', () => {
    const bytes = new Uint8Array(readFileSync(path));
    const { status, data } = checked([written('cut.lkcd', bytes.slice(0, 12_000_000)), '--quick']);
    expect(status).toBe(1);
    expect(data.verdict.text).toMatch(/^the file is cut inside a page; 48 % of the pages/);
    expect(data.findings[0]).toMatchObject({ kind: 'cut', where: { offset: 12_000_000 } });
  });
});

describe('check of a damaged dump', () => {
  test('flipped bytes in pages are damage, each with its place', () => {
    const bytes = whole.slice();
    // Behind the descriptors: inside compressed pages.
    for (let at = 8_000_000; at < 8_200_000; at += 20_000) bytes[at] = bytes[at]! ^ 0xff;
    const { status, data } = checked([written('flipped', bytes)]);
    expect(status).toBe(1);
    expect(data.verdict.name).toBe('damaged');
    expect(data.pages.damaged).toBeGreaterThan(0);
    const damage = data.findings.filter((each: { kind: string }) => each.kind === 'damage');
    expect(damage.length).toBe(data.pages.damaged);
    expect(damage[0].where).toMatchObject({ offset: expect.any(Number), pfn: expect.any(Number) });
  });

  test('the index alone does not see it', () => {
    const { data } = checked([join(folder, 'flipped'), '--quick']);
    expect(data.verdict.name).toBe('filtered');
  });

  test('a descriptor that points into another page is damage although it decodes', () => {
    const bytes = whole.slice();
    const view = new DataView(bytes.buffer);
    // Behind the main header, sub header and bitmaps: page descriptors of 24 bytes.
    const blocks = 1 + view.getInt32(432, true) + view.getUint32(436, true);
    const at = blocks * 4096 + 24 * 5000;
    view.setBigUint64(at, view.getBigUint64(at - 24, true) + 8n, true);
    const { data } = checked([written('descriptor', bytes), '--quick']);
    expect(data.verdict.name).toBe('damaged');
    const [finding] = data.findings;
    expect(finding).toMatchObject({ kind: 'damage', where: { offset: at } });
    expect(finding.message).toContain('into the page before it');
  });

  test('headers that disagree are damage', () => {
    const bytes = whole.slice();
    new DataView(bytes.buffer).setUint32(440, 7, true);
    const { data } = checked([written('headers-disagree', bytes), '--quick']);
    expect(data.verdict.name).toBe('damaged');
    expect(data.findings[0]).toMatchObject({ where: { offset: 440 } });
  });
});

test('the picture in the documents is of such a dump', () => {
  written('vmcore-cut', whole.subarray(0, 11_000_000));
  const { stdout } = tsdump(['check', 'vmcore-cut', '--svg', '-'], { cwd: folder });
  expect(stdout).toBe(readFileSync(join(root, 'docs/check.svg'), 'utf8'));
});

test('of several files the worst decides', () => {
  const cut = written('one-of-several', whole.subarray(0, 9_000_000));
  const text = written('text', new TextEncoder().encode('no dump\n'));
  expect(tsdump(['check', '--quick', '--quiet', machine, cut]).status).toBe(1);
  expect(tsdump(['check', '--quick', '--quiet', cut, text]).status).toBe(3);
});

describe.skipIf(!haveImages)('check of real dumps', () => {
  test('all of memory, flattened by QEMU: whole', () => {
    const { status, data } = checked([join(images, 'sysrq-full.flat')]);
    expect(status).toBe(0);
    expect(data.verdict.name).toBe('whole');
    expect(data.verdict.text).toContain('all 20544 pages');
    expect(data.kernel.every((part: Part) => part.lost === 0)).toBe(true);
  });

  test.each(['null.kdump', 'kdump-real.vmcore'])(
    '%s, at level 31: filtered, and everything but user memory is there',
    (name) => {
      const { status, data, part } = checked([join(images, name)]);
      expect(status).toBe(0);
      expect(data.verdict.name).toBe('filtered');
      for (const each of ['tasks', 'kernel stacks', 'log records', 'symbols', 'types']) {
        expect(part(each)).toMatchObject({ readable: expect.any(Number), lost: 0 });
      }
    },
  );
});

describe('check of every recipe', () => {
  let files: readonly string[] = [];
  beforeAll(async () => {
    files = await writeRecipes(folder);
  });

  test('is a document by the schema, in one run, and no bug', async () => {
    const { stdout, status } = tsdump(['check', ...files, '--json']);
    const documents = documentsOf(stdout);
    expect(documents.length).toBe(files.length);
    expect(status).toBeLessThanOrEqual(5);
    for (const document of documents) {
      expect(schemaProblems(document), document.input).toEqual([]);
    }
    const verdicts = documents.map(({ input, data }) => {
      return `${input.slice(folder.length + 1)}: ${data?.verdict.name ?? 'none'}`;
    });
    const golden = 'golden/check-recipes.txt';
    await expect(`${verdicts.join('\n')}\n`).toMatchFileSnapshot(golden);
  });
});
