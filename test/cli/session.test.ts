/** Commands about the session, and lines of commands that nobody types. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Io, processIo } from '../../src/cli/io.ts';
import { Session } from '../../src/cli/session.ts';
import { completions } from '../../src/cli/shell/complete.ts';
import { splitLine, splitOutput } from '../../src/cli/shell/line.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { machine, program, type Run, tsdump } from '../support/cli.ts';
import { openFixture, withPages } from '../support/fixture.ts';
import { schemaProblems } from '../support/schemas.ts';

let kernel: Kernel;
const folder = mkdtempSync(join(tmpdir(), 'tsdump-session-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});

const analyze = (...words: string[]): Run => tsdump(['analyze', machine, ...words]);
const plainSettings = {
  ...{ json: false, quiet: true, verbose: false, color: false, strict: false },
};
const lines = (run: Run): string[] => run.stdout.trimEnd().split('\n');

describe('set', () => {
  test('is the task that panicked, in the words of crash', async () => {
    expect(await linesOf(kernel, 'set')).toEqual([
      '    PID: 1',
      'COMMAND: "init"',
      '   TASK: ffff8d1e03df4180  [THREAD_INFO: ffff8d1e03df4180]',
      '    CPU: 0',
      '  STATE: TASK_RUNNING (PANIC)',
    ]);
  });

  test('what it chooses is meant by the commands that follow', () => {
    const run = analyze('-c', 'set -c 1; bt; vm; task -R pid; set -p; bt | head -1', '--quiet');
    expect(run.status).toBe(0);
    expect(run.stdout.match(/^PID: \d+ /gm)).toEqual([...Array(3).fill('PID: 122 '), 'PID: 1 ']);
    expect(run.stdout).toMatch(/STATE: TASK_RUNNING \(ACTIVE\)/);
  });

  test('the radix holds until it is set again, and options win', () => {
    const line =
      'set radix 16; p init_task.prio; p -d init_task.prio; set radix 10; p init_task.prio';
    expect(lines(analyze('-c', line, '--quiet'))).toEqual([
      'output radix: 16 (hex)',
      '$1 = 0x78',
      '$2 = 120',
      'output radix: 10 (decimal)',
      '$3 = 120',
    ]);
  });

  test.each([
    ['set 99999', /no task has the PID/, 'absent'],
    ['set -c 9', /there is no CPU 9/, 'absent'],
    ['bt -c 1-0', /is no list of CPUs/, 'usage'],
    ['struct list_head -f modules', /is behind the end of the file/, 'usage'],
    ['set radix 8', /"radix 8" cannot be set/, 'usage'],
    ['set 1 2', /one task/, 'usage'],
    ['set -p 1', /one task/, 'usage'],
  ])('%s is refused', async (line, message, code) => {
    await expect(answerOf(kernel, line)).rejects.toMatchObject({
      message: expect.stringMatching(message),
      code,
    });
  });
});

describe('foreach', () => {
  test('bt of every task is what bt says of each', async () => {
    const pids = [...kernel.tasks()].map((task) => task.pid as number).filter((pid) => pid > 0);
    const answer = await answerOf(kernel, 'foreach bt');
    const blocks = [...answer.text()].join('\n').trimEnd().split('\n\n');
    for (const pid of pids) {
      const own = (await linesOf(kernel, `bt ${pid}`)).join('\n');
      expect(blocks).toContain(own);
    }
    expect(answer.counted).toBe('63 tasks');
  });

  test('kinds and states choose', async () => {
    const counted = async (line: string): Promise<string | undefined> =>
      (await answerOf(kernel, line)).counted;
    const all = [...(await linesOf(kernel, 'ps'))].slice(1).map((row) => row.slice(1));
    const count = (what: (row: string) => boolean): string => `${all.filter(what).length} tasks`;
    expect(await counted('foreach kernel set')).toBe(count((row) => /\[.*\]$/.test(row)));
    expect(await counted('foreach user set')).toBe(count((row) => !/\[.*\]$/.test(row)));
    expect(await counted('foreach ID set')).toBe(count((row) => / ID /.test(row)));
    expect(await counted('foreach active set')).toBe('2 tasks');
    expect(await counted('foreach 1 kthreadd ffff8d1e04bdc180 set')).toBe('3 tasks');
  });

  test('ps speaks of one task at a time, below its header', async () => {
    const found = await linesOf(kernel, 'foreach 1 122 ps');
    expect(found.map((line) => line.slice(0, 12).trim())).toEqual([
      ...['PID: 1', 'PID', '>       1', ''],
      ...['PID: 122', 'PID', '>     122', ''],
    ]);
  });

  test('a task about which nothing can be said is counted, and the others are shown', async () => {
    const answer = await answerOf(kernel, 'foreach 1 2 3 vtop -u 400000');
    expect([...answer.text()].join('\n')).toMatch(/^PID: 1 .*\nVIRTUAL/);
    expect(answer.missing).toMatchObject([{ what: 'vtop', count: 2 }]);
  });

  test('the name of a task sends nothing to the terminal', async () => {
    const comm =
      kernel.symbol('init_task').address +
      BigInt(kernel.types.offsetOf('struct task_struct', 'comm'));
    const at = kernel.memory.translate(comm).physical;
    const named = withPages(kernel.dump, (pfn, bytes) => {
      if (pfn !== Number(at >> 12n)) return bytes;
      const changed = bytes.slice();
      changed.set([0x1b, 0x5d, 0x30, 0x3b, 0x78, 0x07, 0], Number(at & 0xfffn));
      return changed;
    });
    const of = openKernel(named);
    for (const line of ['set -p', 'foreach 0 set', 'bt 0', 'ps 0', 'task -R pid 0']) {
      const text = (await linesOf(of, line)).join('\n');
      expect(text.split('\x1b'), line).toHaveLength(1);
    }
  });

  test.each([
    ['foreach', /foreach needs a command/],
    ['foreach user', /foreach needs a command/],
    ['foreach bt --nonsense', /unknown option '--nonsense'/],
    ['foreach 1 px init_task', /foreach needs a command: "1 px init_task" names none/],
    ['foreach 1 foreach bt', /foreach cannot ask foreach/],
    ['foreach nobody bt', /no task has the PID, address or name "nobody"/],
  ])('%s is refused', async (line, message) => {
    await expect(answerOf(kernel, line)).rejects.toThrow(message);
  });
});

describe('alias and repeat', () => {
  test('an alias stands for a command with its pipe, until it is removed', () => {
    const run = analyze('-c', 'alias k "ps -k | wc -l"; k; alias k ""; k', '--quiet');
    expect(lines(run)[2]).toMatch(/^5\d$/);
    expect(run.stderr).toMatch(/unknown command 'k'/);
    expect(run.status).toBe(2);
  });

  test('an alias may be several commands, one of another shell, or the end; it hides none', () => {
    const two = 'alias two "btop 6000; btop 7000"; two';
    const hidden = 'alias ps bt; ps 1 | grep -c PID';
    const line = `${two}; alias e "!echo here"; e; ${hidden}; alias x exit; x; ps`;
    const said = lines(analyze('-c', line, '--quiet')).filter((text) => !/^(ORIG|runt)/.test(text));
    expect(said).toEqual(['6000: 6', '7000: 7', 'here', '1']);
  });

  test('those of crash are there', async () => {
    expect(lines(analyze('-c', 'px init_task.prio', '--quiet'))).toEqual(['$1 = 0x78']);
    expect(await linesOf(kernel, 'alias px')).toEqual([
      'ORIGIN   ALIAS    COMMAND',
      'builtin  px       p -x',
    ]);
  });

  test('repeat asks again after so many seconds, and its JSON is that of the command', async () => {
    const answer = await answerOf(kernel, 'repeat -5 btop 5000');
    expect(answer).toMatchObject({ again: 5, schema: 'btop/1' });
    expect([...answer.text()]).toEqual(['5000: 5']);
    const [first = ''] = lines(analyze('-c', 'repeat btop 5000 --json | head -1'));
    expect(schemaProblems(JSON.parse(first))).toEqual([]);
  });

  test.each(['repeat', 'repeat -5', 'repeat x bt', 'repeat -99999999 bt'])(
    '%s is refused',
    async (line) => {
      await expect(answerOf(kernel, line)).rejects.toMatchObject({ code: 'usage' });
    },
  );
});

describe('where the answer goes', () => {
  test('the document of a failure goes where the answer would have gone', () => {
    const run = analyze('-c', 'ps nobody --json | sed s/absent/GONE/');
    expect(JSON.parse(run.stdout)).toMatchObject({ errors: [{ code: 'GONE' }] });
    expect(run.status).toBe(5);
  });

  test.each([
    ['btop 5000 > /nonexistent/x', 2],
    ['log > /dev/full', 1],
    ['ps | nosuchcommand', 127],
    ['ps | grep -c nobody', 1],
    ['set -p\r\nps 1 | grep -c nobody\r\n', 1],
  ])('%s: the exit status says so, and nobody is told that it is complete', (line, status) => {
    const run = analyze('-c', line);
    expect(run.status).toBe(status);
    expect(run.stderr).not.toMatch(/complete/);
  });

  test('no line moves the cursor: not even by the name of the file', () => {
    const file = join(folder, 'a\x1b]0;name\x07b.kdump');
    copyFileSync(machine, file);
    const run = tsdump(['analyze', file, 'sys']);
    expect(run.stdout).toMatch(/DUMPFILE: .*a\.\]0;name\.b\.kdump/);
    expect(run.stdout.split('\x1b')).toHaveLength(1);
    rmSync(file);
  });

  test('rd -r keeps bytes in a new file, from a script as well, and never over another', () => {
    const [file, again] = [join(folder, 'bytes'), join(folder, 'again')];
    expect(analyze('rd', '-r', file, 'linux_banner', '16').status).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe('Linux version 6.');
    const run = analyze('rd', '-r', file, 'jiffies', '2');
    expect(run).toMatchObject({ status: 6, stderr: expect.stringContaining('exists already') });
    expect(run.stderr).toMatch(/hint: choose another name$/m);
    const script = join(folder, 'save.mjs');
    const line = JSON.stringify(`rd -r ${again} linux_banner 16`);
    writeFileSync(script, `export default async ({ answer }) => { await answer(${line}); };`);
    expect(analyze('--script', script)).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(again)).toEqual(readFileSync(file));
  });

  test('without a system shell the commands of tsdump still answer', () => {
    const run = tsdump(['analyze', machine, '-c', '!ls\nbtop 5000'], { env: { SHELL: '/none' } });
    expect(run).toMatchObject({ status: 6, stdout: '5000: 5\n' });
    expect(run.stderr).toMatch(/^tsdump: io: the shell cannot be run: spawn \/none ENOENT/);
  });
});

describe('JSON', () => {
  test.each(['set', 'set -v', 'set radix 16', 'alias', 'foreach active bt', 'foreach nobody bt'])(
    '%s',
    (line) => {
      const { stdout } = analyze('-c', line, '--json');
      expect(schemaProblems(JSON.parse(stdout))).toEqual([]);
    },
  );
});

describe('lines of commands', () => {
  test('-c: one after the other, the exit status is the highest', () => {
    const run = analyze('-c', 'btop 5000; nonsense; ps nobody; btop 6000');
    expect(run.stdout).toBe('5000: 5\n6000: 6\n');
    expect(run.status).toBe(5);
  });

  test('the file may stand behind the commands', () => {
    expect(tsdump(['analyze', '-c', 'btop 5000', machine]).stdout).toBe('5000: 5\n');
  });

  test('pipes and files lead to the shell, ! runs a command of it', () => {
    const file = join(folder, 'out');
    const line = `ps | grep -c kworker; btop 7000 > ${file}; btop 8000 >> ${file}; !cat ${file}`;
    expect(lines(analyze('-c', line, '--quiet'))).toEqual(['13', '7000: 7', '8000: 8']);
    expect(readFileSync(file, 'utf8')).toBe('7000: 7\n8000: 8\n');
  });

  test('a reader that leaves early is no error, and nobody is told how much there is', () => {
    const run = analyze('-c', 'sym -l | head -1');
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(lines(run)).toHaveLength(1);
  });

  test('-i: the commands of a file, up to its exit, before those of -c', () => {
    const file = join(folder, 'commands');
    writeFileSync(file, '# what is there\nbtop 5000 # a comment\n\nbtop 6000\n');
    expect(analyze('-i', file, '-c', 'btop 7000').stdout).toBe('5000: 5\n6000: 6\n7000: 7\n');
    writeFileSync(file, 'btop 5000\nexit\nbtop 6000\n');
    expect(analyze('-i', file, '-c', 'btop 7000').stdout).toBe('5000: 5\n');
    expect(analyze('-i', join(folder, 'none')).status).toBe(6);
  });

  test('a dump that is taken for a file of commands: nothing of it is run', () => {
    const binary = join(folder, 'binary');
    writeFileSync(binary, 'btop\0 5000\n!touch here\n');
    for (const run of [analyze('-i', binary), analyze('-c', 'btop 5000 \x01b')]) {
      expect(run).toMatchObject({ status: 2, stdout: '' });
      expect(run.stderr).toMatch(/the commands are no text/);
    }
    const long = `btop ${'5000 '.repeat(30_000)}`;
    const file = join(folder, 'long');
    writeFileSync(file, long);
    expect(analyze('-i', file)).toMatchObject({ status: 2, stdout: '' });
  });

  test('-i -: standard input, whatever it is', () => {
    const run = tsdump(['analyze', machine, '-i', '-'], { input: 'btop 5000\nbtop 6000\n' });
    expect(run.stdout).toBe('5000: 5\n6000: 6\n');
  });

  test('options of the command line are none of a command', () => {
    const run = analyze('-c', '-c "btop 5000"');
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toMatch(/--commands belongs to the command line/);
  });

  test('a struct may stand for itself', () => {
    expect(lines(analyze('-c', 'list_head; *list_head', '--quiet')).slice(0, 4)).toEqual(
      lines(analyze('struct', 'list_head')).slice(0, 4),
    );
    expect(lines(analyze('-c', 'task_struct.pid init_task', '--quiet'))).toEqual(['  pid = 0,']);
  });

  test('!: its exit status counts', () => {
    expect(analyze('-c', '!exit 3').status).toBe(3);
    expect(analyze('-c', '!kill -TERM $$').status).toBe(143);
  });

  test('Ctrl-C ends all of it where nobody types', () => {
    const words = [program, 'analyze', machine, '-c', 'repeat -60 btop 5000'];
    const run = spawnSync('timeout', ['-s', 'INT', '3', process.execPath, ...words]);
    expect(run.status).toBe(124);
  });

  test.each([
    // Work that nobody sees, for much longer than this test.
    `search -p ${'123456789abcdef0 '.repeat(1500)} | cat; btop 6000`,
    'ps | sleep 1000; btop 6000',
    '!sleep 1000\nbtop 6000',
  ])('Ctrl-C ends the line, behind a pipe too: %.12s', (line) => {
    const words = ['-s', 'INT', '3', process.execPath, program, 'analyze', machine, '-c', line];
    const run = spawnSync('timeout', words, { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 124, stdout: '' });
  });
});

describe('a line taken apart', () => {
  test.each([
    ['ps; bt', ['ps', 'bt']],
    ['p (a ; b); "x;y"', ['p (a ; b)', '"x;y"']],
    ['ps # all; bt', ['ps']],
    ['sym a#b', ['sym a#b']],
    [';;  ;', []],
    ['!ls; pwd # x', ['!ls; pwd # x']],
    ['ps; !ls; pwd # x', ['ps', '!ls; pwd # x']],
    ["p it's; bt", ["p it's", 'bt']],
  ])('%s', (line, commands) => {
    expect(splitLine(line)).toEqual(commands);
  });

  test.each([
    ['ps | grep x | wc', 'ps', '| grep x | wc'],
    ['ps > file', 'ps', '> file'],
    ['p init_task.mm->pgd', 'p init_task.mm->pgd', ''],
    ['p (1 | 2)', 'p (1 | 2)', ''],
    ['p 1||0', 'p 1||0', ''],
    ['rd "a|b"', 'rd "a|b"', ''],
    ['ps >>file', 'ps', '>>file'],
  ])('%s', (line, text, rest) => {
    expect(splitOutput(line)).toEqual({ text, rest });
  });

  test('of any text nothing is lost', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        for (const command of splitLine(line)) {
          expect(line).toContain(command);
          const { text, rest } = splitOutput(command);
          expect(command).toContain(text);
          expect(command.endsWith(rest)).toBe(true);
        }
      }),
    );
  });
});

describe('completion', () => {
  const io: Io = { ...processIo({ quiet: true, color: false }), out() {}, err() {} };
  const session = new Session(machine, plainSettings, io);
  beforeAll(() => session.open());
  afterAll(() => session.close());
  const fits = (line: string): readonly string[] => completions(session, line)[0];

  test.each([
    ['wha', ['whatis ']],
    ['px init_task.active_mm->pg', ['pgd', 'pgtables_bytes']],
    ['man forea', ['foreach ']],
    ['task_struct.se.loa', ['load ']],
    ['p init_task.active_mm->pg', ['pgd', 'pgtables_bytes']],
    ['p ((struct task_struct *)0xffffffff9bc1aa40)->com', ['comm', 'compat_robust_list']],
    ['p 1 + init_task.se.loa', ['load ']],
    ['struct task_struct.pid,se.loa', ['load ']],
    ['struct list_hea', ['list_head ']],
    ['sym jiffies_6', ['jiffies_64', 'jiffies_64_to_clock_t']],
    ['bt heapp', ['heapproc ']],
    ['bt 12', ['12', '122']],
    ['bt --exc', ['--exceptions ']],
    ['ps; mod virtio_b', ['virtio_blk ']],
    ['foreach gl', ['gleader ']],
    ['foreach user what', ['whatis ']],
    ['foreach user bt --exc', ['--exceptions ']],
    ['repeat -1 bt heapp', ['heapproc ']],
    ['help forea', ['foreach ']],
    ['ps | gre', []],
    ['!ls', []],
    ['nonsense a', []],
  ])('%s', (line, names) => {
    expect(fits(line)).toEqual(names);
  });

  test('any line is completed or is not', () => {
    const words = fc.constantFrom(...['p', 'struct', 'foreach', '->', '.', '((', '|', '-', 'bt']);
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 8 }))), (parts) => {
        const line = parts.join(' ');
        const [names, replaced] = completions(session, line);
        expect(line.endsWith(replaced)).toBe(true);
        for (const name of names)
          expect(name.startsWith(replaced) || names.length > 200).toBe(true);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
