/** `tsdump info`: what a dump is, from real dumps and from poor ones. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentsOf, haveImages, images, machine, root, tsdump } from '../support/cli.ts';
import { writeRecipes } from '../support/recipe-files.ts';
import { schemaProblems } from '../support/schemas.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-info-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const buildId = '3b43fad5034874490492495d552c0af6a5fab235';

describe('info of a whole dump', () => {
  const { stdout, stderr, status } = tsdump(['info', machine]);

  test('says kernel, panic and the exact debug package', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^kernel +6\.1\.0-56-cloud-amd64, x86_64$/m);
    expect(stdout).toMatch(/^panic +Kernel panic - not syncing: sysrq triggered crash$/m);
    const command = 'apt install linux-image-6.1.0-56-cloud-amd64-dbg=6.1.192-2';
    expect(stdout).toContain(`command     ${command}\n`);
    expect(stdout).toContain(`buildid/${buildId}/debuginfo`);
    expect(stdout).toContain('2026 (by the machine');
    expect(stdout).toContain('QEMU');
    expect(stdout).toMatch(/^registers +of 2 CPUs \(NT_PRSTATUS, QEMU\)$/m);
    expect(stdout).toMatch(/^phys_base +0xffffffffe6e00000$/m);
    expect(stdout).toMatch(/^level +23 \(zero, cache, private-cache, free\)$/m);
  });

  test('fits a terminal of 80 columns', () => {
    const longest = Math.max(...stdout.split('\n').map(({ length }) => length));
    expect(longest).toBeLessThanOrEqual(80);
  });

  test('says the same as JSON, by its schema', () => {
    const run = tsdump(['info', machine, '--json']);
    const document = JSON.parse(run.stdout);
    expect(schemaProblems(document)).toEqual([]);
    expect(document).toMatchObject({ schema: 'info/1', input: machine, complete: true });
    expect(document.data.machine).toMatchObject({ buildId, nodename: 'labguest' });
    expect(document.data.machine.cpus).toEqual({ possible: 2, online: 1 });
    expect(document.data.symbols.package.name).toBe('linux-image-6.1.0-56-cloud-amd64-dbg');
    expect(document.data.panic.task).toEqual({ pid: 1, comm: 'init' });
  });
});

describe('info of older kernels', () => {
  test.each([
    ['linux-4.15', 'linux-image-4.15.0-20-generic-dbgsym'],
    ['linux-5.4', 'linux-image-5.4.0-26-generic-dbgsym'],
  ])('%s: without VMCOREINFO and types, %s of Ubuntu', (name, wanted) => {
    const run = tsdump(['info', join(root, `test/dumps/${name}.kdump`), '--json']);
    const { data } = JSON.parse(run.stdout);
    expect(data.kernel.vmcoreinfo).toBe('memory');
    expect(data.symbols.package).toMatchObject({ distribution: 'Ubuntu', name: wanted });
    const lacks = data.lacks.map((lack: { what: string }) => lack.what);
    expect(lacks).toContain('types (BTF)');
    expect(lacks).toContain('VMCOREINFO in the file');
  });
});

describe('info of one part of a split dump', () => {
  beforeAll(() => {
    tsdump(['convert', machine, 'part', '--to', 'kdump', '--split', '3'], { cwd: folder });
  });

  test('says what only the others tell, and does not promise the log that they hold', () => {
    const { stdout } = tsdump(['info', 'part.1'], { cwd: folder });
    const said = stdout.replaceAll(/\s+/g, ' ');
    expect(said).toContain(
      'the other parts of a split dump: give all parts together; panic, uptime, CPUs, memory ' +
        'cannot be told from this one',
    );
    expect(said).not.toContain('can be read: the log');
  });

  test('all parts together lack none', () => {
    const { stdout } = tsdump(['info', 'part.2', 'part.0', 'part.1'], { cwd: folder });
    expect(stdout).not.toContain('other parts');
    // What the headers say differs from part to part.
    expect(stdout).toMatch(/^ +file: part\.0\n +header version: 6$/m);
    expect(stdout).toContain('sysrq triggered crash');
  });
});

describe('info of several files', () => {
  test('a file that is no dump does not keep the others from being answered', () => {
    const text = join(folder, 'notes.txt');
    writeFileSync(text, 'this is no dump\n');
    const { status, stdout, stderr } = tsdump(['info', text, machine, '--json']);
    expect(status).toBe(3);
    const documents = documentsOf(stdout);
    expect(documents.map(({ input, data }) => [input, data === null])).toEqual([
      [text, true],
      [machine, false],
    ]);
    for (const document of documents) expect(schemaProblems(document)).toEqual([]);
    expect(stderr).toContain('tsdump: unsupported:');
  });

  test('a file that is not there is an error of the system', () => {
    const { status, stderr } = tsdump(['info', join(folder, 'nowhere')]);
    expect({ status, stderr }).toEqual({
      status: 6,
      stderr: expect.stringContaining('tsdump: io'),
    });
  });
});

test.skipIf(!haveImages)('a dump of a real kdump says kexec and makedumpfile', () => {
  const { stdout } = tsdump(['info', join(images, 'kdump-real.vmcore')]);
  expect(stdout).toContain('kexec (/proc/vmcore), saved by makedumpfile');
});

describe('info of every recipe that opens', () => {
  let files: readonly string[] = [];
  beforeAll(async () => {
    files = await writeRecipes(folder);
  });

  test('is a document by the schema, in one run, and no bug', () => {
    const { status, stdout } = tsdump(['info', ...files, '--json']);
    const documents = documentsOf(stdout);
    expect(documents.length).toBe(files.length);
    expect(status).toBeLessThanOrEqual(5);
    for (const document of documents) {
      expect(schemaProblems(document), document.input).toEqual([]);
      if (document.data !== null) expect(document.data.file.bytes).toBeGreaterThan(0);
    }
  });
});
