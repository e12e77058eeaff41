/** Scripts of users: what they are given, how they end, whose fault it is. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { callOf } from '../../src/analyze/parse.ts';
import { commands } from '../../src/analyze/table.ts';
import { splitWords } from '../../src/analyze/words.ts';
import { parseCall } from '../../src/cli/call.ts';
import { answer, DumpError, evaluate, openDump, openKernel, typeOf } from '../../src/index.ts';
import { machine, type Run, root, tsdump } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-script-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a script, and runs it on the default machine. */
function run(name: string, source: string, ...words: string[]): Run {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  return tsdump(['analyze', machine, '--script', name, ...words], { cwd: folder });
}

describe('a script', () => {
  test('is TypeScript, wherever it lies, and imports this very package', () => {
    const { stdout, stderr, status } = run(
      'far/away/first.ts',
      `import { DumpError, panicTask, type Script, taskState } from 'tsdump';
       interface Row { pid: number; state: string }
       export default (async ({ kernel, dump, print, answer }) => {
         const { task } = panicTask(kernel)!;
         const row = { pid: task.pid, state: taskState(task) } satisfies Row as Row;
         print(task.comm, row, task, dump.description.split(' ')[0]);
         const ps = await answer('ps 1');
         for (const line of ps.text()) print(line.trimEnd());
         try {
           kernel.symbol('nothing');
         } catch (error) {
           print(error instanceof DumpError);
         }
       }) satisfies Script;`,
    );
    expect(stderr).toBe('');
    const [first, ...lines] = stdout.split('\n');
    expect(first).toBe("init { pid: 1, state: 'RU' } struct task_struct ffff8d1e03df4180 KDUMP");
    expect(lines.slice(0, 2)).toEqual([
      '      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM',
      expect.stringMatching(/^> {7}1 {7}0 {3}0 {2}ffff8d1e03df4180 {2}RU /),
    ]);
    expect(lines[2]).toBe('true');
    expect(status).toBe(0);
  });

  test.each([
    ['words.mjs', 'export default'],
    ['words.js', 'export default'],
  ])('is JavaScript, %s, and is given the words behind --', (name, start) => {
    const source = `${start} ({ words, json, print }) => { print(words.join('+'), json); };`;
    expect(run(name, source, '--', 'ps', '-x', '--', '').stdout).toBe('ps+-x+--+ false\n');
    expect(run(name, source, '--json').stdout).toBe(' true\n');
  });

  test('may stand before the dump, with = or without', () => {
    writeFileSync(join(folder, 'where.mjs'), 'export default ({ words }) => words.length;');
    const forms = [
      ['--script', 'where.mjs', machine],
      ['--script=where.mjs', machine],
      [machine, '--script=where.mjs'],
    ];
    for (const form of forms) {
      expect(tsdump(['analyze', ...form, '--', 'a', 'b'], { cwd: folder }).status).toBe(2);
    }
  });

  test('imports its neighbours, in TypeScript too', () => {
    writeFileSync(join(folder, 'part.mts'), 'export const part: string = "a part";');
    const source = "import { part } from './part.mts'; export default ({ print }) => print(part);";
    expect(run('whole.mjs', source).stdout).toBe('a part\n');
  });

  test.each([
    ['undefined', 0],
    ['true', 0],
    ['false', 1],
    ['42', 42],
    ['await Promise.resolve(3)', 3],
  ])('that returns %s ends with %i', (result, status) => {
    const { stderr, status: ended } = run('ends.mjs', `export default async () => ${result};`);
    expect([stderr, ended]).toEqual(['', status]);
  });

  test('notes go to standard error, and nowhere with --quiet', () => {
    const source = 'export default ({ note }) => { note("half", 1n); };';
    expect(run('note.mjs', source)).toMatchObject({ stdout: '', stderr: 'half 1n\n' });
    expect(run('note.mjs', source, '--quiet')).toMatchObject({ stdout: '', stderr: '' });
  });
});

describe('a script that goes wrong', () => {
  const claim = (run: Run, status: number, lines: readonly string[]): void => {
    expect(run.stderr.trimEnd().split('\n')).toEqual(lines);
    expect([run.stdout, run.status]).toEqual(['', status]);
  };

  test('names its file and line, through its neighbours, and no line of tsdump', () => {
    const helper = 'interface Any { nothing: any }\n\nexport const more = (a: Any) => a.nothing.x;';
    writeFileSync(join(folder, 'helper.ts'), helper);
    const source =
      "import { more } from './helper.ts';\nexport default ({ kernel }) => more(dump);";
    claim(run('wrong.ts', source.replace('dump', 'kernel')), 7, [
      "tsdump: script: TypeError: Cannot read properties of undefined (reading 'x')",
      '    at more (helper.ts:3:43)',
      '    at default (wrong.ts:2:32)',
    ]);
  });

  test.each([
    ['syntax.ts', 'export default () => {\n  const a: = 3;\n};', 'syntax.ts:2:12'],
    ['syntax.mjs', '\nconst a = ;', 'syntax.mjs:2:11'],
    ['enum.ts', 'export default () => {};\nenum A { B }', 'enum.ts:2:1'],
  ])('%s: what cannot be parsed is shown where it stands', (name, source, place) => {
    const { stderr, status } = run(name, source);
    expect(stderr).toMatch(/^tsdump: script: SyntaxError: /);
    expect(stderr.split('\n')[1]).toBe(`    at ${place}`);
    expect(status).toBe(7);
  });

  test('a DumpError is the one of tsdump, with its status and the line that met it', () => {
    claim(run('absent.mjs', 'export default ({ kernel }) => kernel.symbol("nothing");'), 5, [
      'tsdump: absent: the kernel has no symbol "nothing"',
      `  at ${machine}`,
      '  script: at default (absent.mjs:1:39)',
    ]);
  });

  test.each([
    ['setTimeout(() => { throw new RangeError("late"); })', 'Timeout._onTimeout (late.mjs:1:55)'],
    ['Promise.reject(new RangeError("late"))', 'default (late.mjs:1:45)'],
  ])('an error behind its back is its own as well: %s', (act, place) => {
    const wait = 'new Promise((end) => setTimeout(end, 60_000))';
    const source = `export default async () => { ${act}; await ${wait}; };`;
    claim(run('late.mjs', source), 7, ['tsdump: script: RangeError: late', `    at ${place}`]);
  });

  test('one that waits for nothing is told, instead of ending in silence', () => {
    claim(run('never.mjs', 'export default () => new Promise(() => {});'), 7, [
      'tsdump: script: it waits for something that never comes',
    ]);
  });

  test('no default export, no exit status, a type that is imported as a value', () => {
    claim(run('none.mjs', 'export const a = 1;'), 7, [
      'tsdump: script: the default export is no function',
      '  hint: export default ({ kernel, print }) => { ... };',
    ]);
    claim(run('text.mjs', 'export default () => "x";'), 7, [
      "tsdump: script: it returned 'x', which is no exit status",
    ]);
    const kernel = run('type.ts', "import { Kernel } from 'tsdump';\nexport default () => {};");
    expect(kernel.stderr).toContain('\n  hint: a type is imported with `import type`');
  });

  test('what is thrown inside of tsdump is perhaps our bug: said', () => {
    const source = "import { addressOf } from 'tsdump'; export default () => addressOf({});";
    const { stderr, status } = run('inside.mjs', source);
    expect(stderr).toMatch(/^tsdump: script: TypeError: "view" expected a kernel object\n/);
    expect(stderr).toContain('\n  hint: thrown inside of tsdump');
    expect(status).toBe(7);
  });

  test('a script that is not there is io, a name that cannot be one usage, both no bug', () => {
    const missing = tsdump(['analyze', machine, '--script', 'nothing.ts'], { cwd: folder });
    expect([missing.status, missing.stderr.split('\n')[0]]).toEqual([
      6,
      'tsdump: io: there is no such script',
    ]);
    const word = tsdump(['analyze', machine, '--script', 'nothing.txt'], { cwd: folder });
    expect([word.status, word.stderr.split('\n')[0]]).toEqual([
      2,
      'tsdump: usage: --script: "nothing.txt" is no script by its name',
    ]);
  });
});

describe('the example', () => {
  const file = join(root, 'docs/examples/sleepers.ts');
  const example = (...words: string[]): Run =>
    tsdump(['analyze', machine, '--script', file, ...words]);

  test('runs, for people and for programs', () => {
    const lines = example('--', 'IN').stdout.split('\n');
    expect(lines[0]).toBe('6 in smpboot_thread_fn: 14 16 18 19 20 21');
    const document = JSON.parse(example('--json', '--', 'IN').stdout) as Record<string, number[]>;
    expect(document['do_nanosleep']).toEqual([117, 118, 134, 155]);
    expect(example('--', 'XX').status).toBe(5);
  });

  test('is what a strict compiler takes', { timeout: 120_000 }, () => {
    const words = '--noEmit --strict --noUncheckedIndexedAccess --module nodenext --target es2023';
    const tsc = join(root, 'node_modules/.bin/tsc');
    const types = ['--types', ''];
    const compiled = spawnSync(tsc, [...words.split(' '), ...types, file], { cwd: folder });
    expect(compiled.stdout.toString()).toBe('');
  });

  test('is run as its first lines say', () => {
    const command = `tsdump analyze vmcore --script docs/examples/sleepers.ts -- IN`;
    expect(readFileSync(file, 'utf8')).toContain(command);
  });
});

describe('answer(kernel, line)', () => {
  test.each(['ps -u', 'log -Tm', 'struct list_head -o', 'rd -32 -d jiffies', 'sym -q sysrq'])(
    '%s: what the command line prints, in both forms',
    async (line) => {
      const dump = await openDump(machine);
      const found = await answer(openKernel(dump), line);
      const words = ['analyze', machine, ...splitWords(line)];
      expect(`${[...found.text()].join('\n')}\n`).toBe(tsdump(words).stdout);
      const document = JSON.parse(tsdump([...words, '--json']).stdout) as { data: unknown };
      expect(JSON.parse(JSON.stringify(found.json()))).toEqual(document.data);
      dump.close();
    },
  );

  test('a dump that was cut says so with each answer', async () => {
    const bytes = readFileSync(machine);
    const cut = join(folder, 'cut.kdump');
    writeFileSync(cut, bytes.subarray(0, bytes.length - 4096));
    const dump = await openDump(cut);
    const found = await answer(openKernel(dump), 'sym jiffies');
    expect(found.missing.map(({ what }) => what)).toContain('part of the dump');
    dump.close();
  });

  test('an unknown command or option is usage, with the nearest one', async () => {
    const dump = await openDump(machine);
    const refused = async (line: string): Promise<DumpError> => {
      const error: unknown = await answer(openKernel(dump), line).catch((reason) => reason);
      expect(error).toBeInstanceOf(DumpError);
      return error as DumpError;
    };
    expect(await refused('pss')).toMatchObject({ code: 'usage' });
    const parents = await refused('ps --parent');
    expect([parents.message, parents.hint]).toEqual([
      "ps: unknown option '--parent'",
      '(Did you mean --parents?)',
    ]);
    expect((await refused('sym -q')).message).toContain("'-q, --query <text>' argument missing");
    expect((await refused('sys -h')).message).toContain('unknown option');
    expect((await refused('log one')).code).toBe('usage');
    expect((await refused('foreach bt --nothing')).message).toContain('bt: unknown option');
    dump.close();
  });
});

describe('words and options', () => {
  const lines = commands.flatMap(({ examples }) => examples.map(([line]) => line.split('|')[0]!));
  const odd = ['sym -qsysrq', 'sym --query=a=b', 'rd -SS 1', 'struct page -c -3', 'print -- -1'];

  test.each([...lines, ...odd])('%s: as on the command line', async (line) => {
    const { call, err } = await parseCall(splitWords(line));
    expect(err).toBe('');
    expect(callOf(splitWords(line))).toEqual(call);
  });
});

test('evaluate gives what a member of that type would be', async () => {
  const dump = await openDump(machine);
  const kernel = openKernel(dump);
  expect(evaluate(kernel, 'init_task.comm')).toBe('swapper/0');
  expect(evaluate(kernel, 'jiffies')).toBe(kernel.variable('jiffies'));
  expect(evaluate(kernel, 'init_task.mm')).toBeNull();
  expect(evaluate(kernel, 'init_task.in_execve')).toBe(0);
  expect(evaluate(kernel, '1 + 2 == 3')).toBe(1);
  expect(evaluate(kernel, '1l << 40')).toBe(1n << 40n);
  expect(evaluate(kernel, 'vfs_read')).toBe(kernel.symbol('vfs_read').address);
  expect(typeOf(evaluate(kernel, 'init_task.tasks'))).toBe('struct list_head');
  expect(typeOf(evaluate(kernel, '(struct task_struct *)&init_task'))).toBe('struct task_struct');
  expect(() => evaluate(kernel, 'panic_blink')).toThrow(/type of "panic_blink" is not known/);
  dump.close();
});
