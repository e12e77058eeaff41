/** `tsdump analyze` on real dumps: its text, its JSON, its notes. */

import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { haveImages, images, machine, program, type Run, tsdump } from '../support/cli.ts';
import { schemaProblems } from '../support/schemas.ts';

const analyze = (...words: string[]): Run => tsdump(['analyze', machine, ...words]);

interface Document {
  readonly schema: string;
  readonly input: string;
  readonly complete: boolean;
  readonly missing: readonly { readonly what: string; readonly count: number | null }[];
  // biome-ignore lint/suspicious/noExplicitAny: what it is, its schema says.
  readonly data: any;
  readonly errors: readonly { readonly code: string }[];
}

function documents({ stdout }: Run): Document[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Document);
}

describe('text', () => {
  test.each([
    ['sys'],
    ['mod'],
    ['bt'],
    ['bt -a'],
    ['bt -l 2'],
    ['bt -e'],
    ['ps -u'],
    ['ps -us 1'],
    ['ps -p init'],
    ['ps -c 2'],
    ['ps -t 1'],
    ['ps -a 1'],
    ['sym linux_banner schedule'],
    ['sym -q sysrq_key'],
  ])('%s prints what it always printed', async (line) => {
    const run = analyze(...line.split(' '));
    expect(run.status).toBe(0);
    const name = line.replaceAll(' ', '_');
    const text = run.stdout.replaceAll(machine, 'FILE');
    await expect(text).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  test('log: levels and dates stand where crash has them', () => {
    const plain = analyze('log').stdout.split('\n');
    const dates = analyze('log', '-Tm').stdout.split('\n');
    const bare = analyze('log', '-t').stdout.split('\n');
    const index = plain.findIndex((line) => line.includes('Kernel panic - not syncing'));
    expect(plain[index]).toBe('[    9.331849] Kernel panic - not syncing: sysrq triggered crash');
    expect(dates[index]).toBe(
      '[Sun Nov 22 06:22:59 UTC 2026] <0>Kernel panic - not syncing: sysrq triggered crash',
    );
    expect(bare[index]).toBe('Kernel panic - not syncing: sysrq triggered crash');
  });

  test('without a command: the system and the panic task', () => {
    const both = analyze();
    expect(both.stdout).toBe(`${analyze('sys').stdout}\n${analyze('bt').stdout}`);
  });

  test('sym goes from an address to symbol and offset', () => {
    const [line] = analyze('sym', 'schedule').stdout.split('\n');
    const address = BigInt(`0x${line!.slice(0, 16)}`);
    const inside = (address + 5n).toString(16);
    expect(analyze('sym', inside).stdout).toBe(`${inside} (T) schedule+5\n`);
  });

  test('bt -f: the words of a frame end with the return address of the next', () => {
    const lines = analyze('bt', '-f').stdout.split('\n');
    const next = lines.findIndex((line) => line.startsWith(' #2 ['));
    const [, slot, address] = /\[(\w{16})\] \S+ at (\w{16})/.exec(lines[next]!)!;
    const words = lines[next - 1]!.trim().split(/:? +/);
    expect(words.at(-1)).toBe(address);
    const last = BigInt(`0x${words[0]}`) + BigInt((words.length - 2) * 8);
    expect(last.toString(16)).toBe(slot);
  });

  test('bt -r: the whole stack, functions by name', () => {
    const lines = analyze('bt', '-r', '2').stdout.trimEnd().split('\n').slice(1);
    expect(lines).toHaveLength(16384 / 16);
    expect(lines.join('\n')).toContain('ret_from_fork+34');
  });

  test('-l says once that a vmcore has no line tables', () => {
    expect(analyze('bt', '-al').stderr.match(/no line tables/g)).toHaveLength(1);
  });
});

const everyCommand = [
  'sys', 'log', 'ps', 'ps -p', 'ps -c', 'ps -t', 'ps -a', 'ps -us', 'ps -k', 'bt', 'bt -a',
  'bt -f', 'bt -l', 'bt -r', 'bt -e', 'bt 1 2', 'mod', 'sym schedule', 'sym -q sysrq',
]; // biome-ignore format: one list

describe('JSON', () => {
  test.each(everyCommand)('%s --json is what its schema says', (line) => {
    const run = analyze(...line.split(' '), '--json');
    const [document, ...rest] = documents(run);
    expect(rest).toEqual([]);
    expect(schemaProblems(document!)).toEqual([]);
    expect(document!.input).toBe(machine);
    expect(document!.complete).toBe(document!.missing.length === 0);
  });

  test('the overview is two documents, one a line', () => {
    const found = documents(analyze('--json'));
    expect(found.map(({ schema }) => schema)).toEqual(['sys/1', 'bt/1']);
    expect(found.flatMap(schemaProblems)).toEqual([]);
  });

  test('--json may stand anywhere', () => {
    const after = analyze('mod', '--json').stdout;
    expect(tsdump(['--json', 'analyze', machine, 'mod']).stdout).toBe(after);
    expect(tsdump(['analyze', '--json', machine, 'mod']).stdout).toBe(after);
  });

  test('a failure is a document too: no data, the error with its code', () => {
    const run = tsdump(['analyze', '/does/not/exist', 'ps', '--json']);
    const [document] = documents(run);
    expect(schemaProblems(document!)).toEqual([]);
    expect(document).toMatchObject({ schema: 'ps/1', complete: false, data: null });
    expect(document!.errors).toMatchObject([{ code: 'io' }]);
    expect(run.status).toBe(6);
  });

  test('addresses are hexadecimal strings, 64-bit numbers decimal strings', () => {
    const [{ data }] = documents(analyze('ps', '-t', '1', '--json')) as [Document];
    const [task] = data.tasks;
    expect(task.task).toMatch(/^0x[0-9a-f]{16}$/);
    expect(task.times.startNs).toMatch(/^[0-9]+$/);
  });
});

describe('notes', () => {
  test('a whole answer says how much it is', () => {
    expect(analyze('ps').stderr).toBe('63 tasks, complete\n');
    expect(analyze('ps', '-u').stderr).toMatch(/^\d+ tasks, complete\n$/);
  });

  test('--quiet leaves the answer alone', () => {
    const run = analyze('ps', '--quiet');
    expect(run.stderr).toBe('');
    expect(run.stdout).toBe(analyze('ps').stdout);
  });
});

describe('commands from a pipe', () => {
  const pipe = (input: string, ...words: string[]): Run => {
    // A FIFO: the pipes of child_process are sockets, which are not read.
    const script = `printf '%s' "$INPUT" | "$0" "$@"`;
    const all = ['-c', script, process.execPath, program, 'analyze', machine, ...words];
    const env = { ...process.env, INPUT: input };
    return spawnSync('/bin/sh', all, { env, encoding: 'utf8' });
  };

  test('each line is answered, comments and empty lines are not', () => {
    const run = pipe('# what is loaded\nmod\n\nsym "linux_banner" # and where\n');
    expect(run.stdout).toBe(analyze('mod').stdout + analyze('sym', 'linux_banner').stdout);
  });

  test.each(['exit', 'quit', 'q'])('`%s` ends them, as in scripts for crash', (word) => {
    const run = pipe(`mod\n${word}\nsys\n`);
    expect(run.stdout).toBe(analyze('mod').stdout);
    expect(run.status).toBe(0);
  });

  test('with --json: one document a line', () => {
    const found = documents(pipe('mod\nps 1\n', '--json'));
    expect(found.map(({ schema }) => schema)).toEqual(['mod/1', 'ps/1']);
  });

  test('without any command: an overview, as where no pipe is', () => {
    expect(pipe('').stdout).toBe(tsdump(['analyze', machine]).stdout);
    expect(pipe('# nothing\n', '--json').stdout).toBe(analyze('--json').stdout);
  });

  test('options that every command takes hold for their line', () => {
    const run = pipe('mod --quiet --json\nmod\nsym schedule nothing_like_it --quiet --strict\n');
    const [json, text] = [analyze('mod', '--json'), analyze('mod')];
    expect(run.stdout).toBe(json.stdout + text.stdout + analyze('sym', 'schedule').stdout);
    expect(run.stderr).toBe(text.stderr);
    expect(run.status).toBe(5);
  });

  test('--strict of the session holds for each line, and only a partial answer ends with 5', () => {
    expect(pipe('sym schedule nothing_like_it\n', '--strict', '--quiet').status).toBe(5);
    expect(pipe('mod\n', '--strict', '--quiet').status).toBe(0);
  });

  test('a line that fails does not stop the next, and decides the exit status', () => {
    const run = pipe('ps no-such-task\nmod\n');
    expect(run.stdout).toBe(analyze('mod').stdout);
    expect(run.status).toBe(5);
  });
});

describe.skipIf(!haveImages)('real dumps of the images folder', () => {
  const dumps = ['null.kdump', 'hardirq.kdump', 'stack.kdump', 'kdump-real.vmcore'];

  test.each(dumps)('%s: every answer is what its schema says', (name) => {
    const input = `${everyCommand.join('\n')}\n`;
    const script = `printf '%s' "$INPUT" | "$0" "$@"`;
    const words = [program, 'analyze', join(images, name), '--json', '--quiet'];
    const stdout = execFileSync('/bin/sh', ['-c', script, process.execPath, ...words], {
      env: { ...process.env, INPUT: input },
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
      stdio: 'pipe',
    });
    const found = documents({ status: 0, stdout, stderr: '' });
    expect(found).toHaveLength(everyCommand.length);
    expect(found.flatMap(schemaProblems)).toEqual([]);
  });

  test('arguments in excluded pages: said for the task, counted, exit status 5 if strict', () => {
    const run = tsdump(['analyze', join(images, 'null.kdump'), 'ps', '-a', '1', '--strict']);
    expect(run.stdout).toContain('(not in the dump: ');
    expect(run.stderr).toMatch(/^1 task, incomplete: argument lists: 1 missing, /);
    expect(run.status).toBe(5);
  });
});

if (!haveImages) test.skip(`skipped: no dumps in ${images} (set TSDUMP_IMAGES)`, () => {});
