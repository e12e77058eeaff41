/** The shell as somebody at a terminal has it: typed into, and read from the screen. */

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { machine, program } from '../support/cli.ts';

import { haveTerminal, TestTerminal } from '../support/terminal.ts';

const keys = { enter: '\r', tab: '\t', interrupt: '\x03', end: '\x04', up: '\x1b[A' };
const ready = /leaves\.\ntsdump>$/;

let folder: string;
let terminal: TestTerminal;

function open(env: Readonly<Record<string, string>> = {}, ...words: string[]): TestTerminal {
  const command = [process.execPath, program, 'analyze', machine, ...words];
  terminal = new TestTerminal(command, { XDG_STATE_HOME: folder, PAGER: 'cat', ...env });
  return terminal;
}

/** A shell that waits for its first command. */
async function shell(env: Readonly<Record<string, string>> = {}): Promise<TestTerminal> {
  const opened = open(env);
  await opened.shows(ready);
  return opened;
}

/**
 * A shell in which a line is entered from the history: readline takes seconds for one of 25 KB that
 * is typed, as it looks at all of it again for each character.
 */
async function shellAt(line: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  mkdirSync(join(folder, 'tsdump'));
  writeFileSync(join(folder, 'tsdump/history'), `${line}\n`);
  await shell(env);
  terminal.type(`${keys.up}${keys.enter}`);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsdump-terminal-'));
});

afterEach(() => {
  terminal.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(!haveTerminal)('the shell at a terminal', { timeout: 120_000 }, () => {
  test('says first what crashed, and leaves at exit and at Ctrl-D', async () => {
    const { text } = await shell();
    expect(text).toMatch(/PANIC: "Kernel panic - not syncing: sysrq triggered crash"/);
    expect(text).toMatch(/sysrq_handle_crash at ffffffff9a8a8a06/);
    terminal.type(`exit${keys.enter}`);
    expect(await terminal.ends()).toBe(0);
    await shell();
    terminal.type(keys.end);
    expect(await terminal.ends()).toBe(0);
  });

  test('Tab completes commands, types, members, options, symbols and members of values', async () => {
    await shell();
    terminal.type(`wha${keys.tab}`);
    await terminal.shows(/tsdump> whatis/);
    terminal.type(`task_struct.se.loa${keys.tab}`);
    await terminal.shows(/tsdump> whatis task_struct\.se\.load/);
    terminal.type(keys.enter);
    await terminal.shows(/struct load_weight/);
    terminal.type(`bt --excep${keys.tab}`);
    await terminal.shows(/tsdump> bt --exceptions/);
    terminal.type(keys.interrupt);
    await terminal.shows(/\^C\ntsdump>$/);
    terminal.type(`p &init_tas${keys.tab}`);
    await terminal.shows(/tsdump> p &init_task/);
    terminal.type(keys.interrupt);
    await terminal.shows(/init_task *\^C\ntsdump>$/);
    terminal.type('p init_task.active_mm->pg');
    await terminal.tabTwice();
    await terminal.shows(/tsdump> p init_task\.active_mm->pg\n.*pgd/);
  });

  test('Tab tells how many names there are where there are too many', async () => {
    await shell();
    terminal.type('sym a');
    await terminal.tabTwice();
    await terminal.shows(/a\.\.\. \d+ more/);
  });

  test('the arrow brings back lines of this session and of the one before', async () => {
    await shell();
    terminal.type(`sym jiffies${keys.enter}`);
    await terminal.shows(/\(D\) jiffies\n[\s\S]*tsdump>$/);
    terminal.type(`btop 5000${keys.enter}`);
    await terminal.shows(/5000: 5\n[\s\S]*tsdump>$/);
    terminal.type(`exit${keys.enter}`);
    await terminal.ends();
    expect(readFileSync(join(folder, 'tsdump/history'), 'utf8')).toBe(
      'sym jiffies\nbtop 5000\nexit\n',
    );
    await shell();
    terminal.type(`${keys.up}${keys.up}`);
    await terminal.shows(/tsdump> btop 5000$/);
    terminal.type(`${keys.up}${keys.enter}`);
    await terminal.shows(/tsdump> sym jiffies\n[0-9a-f]{16} \(D\) jiffies/);
  });

  test('Ctrl-C ends a command that is at work, and the shell answers the next one', async () => {
    // A value in each page is found at once; all of memory takes far longer than this test.
    await shellAt(`search -p ${'123456789abcdef0 '.repeat(200)}0`);
    await terminal.shows(/[0-9a-f]+: 0\s/);
    terminal.type(keys.interrupt);
    await terminal.shows(/interrupted\ntsdump>$/);
    terminal.type(`sym jiffies${keys.enter}`);
    await terminal.shows(/\(D\) jiffies\n[\s\S]*tsdump>$/);
  });

  test('who waits longer than a second is told, until there is an answer', async () => {
    await shellAt(`search -p ${'123456789abcdef0 '.repeat(1500)}`);
    await terminal.shows(/1 s; Ctrl-C stops it/);
    terminal.type(keys.interrupt);
    await terminal.shows(/interrupted\ntsdump>$/);
    expect(terminal.text).not.toMatch(/stops it\n/);
  });

  test('what is found slowly is shown as it is found, a pager or none', async () => {
    const pager = join(folder, 'pager');
    writeFileSync(pager, '#!/bin/sh\necho PAGER; cat\n', { mode: 0o755 });
    // The banner lies in the first third of memory: the rest takes far longer than a look at it.
    const search = `search -p 65762078756e694c ${'123456789abcdef0 '.repeat(250)}`;
    await shellAt(search, { PAGER: pager });
    await terminal.shows(/[0-9a-f]+: 65762078756e694c/);
    expect(terminal.text).not.toMatch(/PAGER|found in/);
    terminal.type(keys.interrupt);
    await terminal.shows(/interrupted\ntsdump>$/);
  });

  test('Ctrl-C ends what repeat began', async () => {
    await shell();
    terminal.type(`repeat -1 btop 7000${keys.enter}`);
    await terminal.shows(/7000: 7\n7000: 7/);
    terminal.type(keys.interrupt);
    await terminal.shows(/7000: 7\n[\s\S]*tsdump>$/);
    terminal.type(`exit${keys.enter}`);
    expect(await terminal.ends()).toBe(0);
  });

  test('a long answer goes through the pager, a short one and `set scroll off` do not', async () => {
    const pager = join(folder, 'pager');
    writeFileSync(pager, '#!/bin/sh\necho PAGER; head -n 2; echo READ\n', { mode: 0o755 });
    await shell({ PAGER: pager });
    terminal.type(`ps 1${keys.enter}`);
    await terminal.shows(/1 task, complete\ntsdump>$/);
    expect(terminal.text).not.toMatch(/PAGER/);
    // More than any pipe holds: the one that reads leaves early, and that is no error.
    terminal.type(`sym -l${keys.enter}`);
    await terminal.shows(/PAGER\n.*\n.*\nREAD\ntsdump>$/);
    terminal.type(`set scroll off${keys.enter}ps -k${keys.enter}`);
    await terminal.shows(/kthreadd[\s\S]*tasks, complete\ntsdump>$/);
    expect(terminal.text.match(/PAGER/g)).toHaveLength(1);
  });

  test('a pager that is not there keeps nothing from the terminal', async () => {
    await shell({ PAGER: 'no-such-pager -x' });
    terminal.type(`ps -k${keys.enter}`);
    await terminal.shows(/kthreadd[\s\S]*tasks, complete\ntsdump>$/);
    expect(terminal.text).not.toMatch(/not found/);
  });

  test.skipIf(spawnSync('less', ['--version']).error)(
    'less scrolls a list of 100,000 lines as soon as its beginning is there',
    async () => {
      await shell({ PAGER: 'less', LESS: '' });
      terminal.type(`sym -l${keys.enter}`);
      await terminal.shows(/\n:$/);
      terminal.type('q');
      await terminal.shows(/tsdump>$/);
    },
  );

  test('pipes, files, other commands; lines that are pasted at once', async () => {
    await shell();
    const file = join(folder, 'tasks');
    terminal.type(
      [`ps | grep -c kworker`, `ps -u > ${file}`, `!wc -l < ${file}`, 'btop 9000', ''].join(
        keys.enter,
      ),
    );
    await terminal.shows(/9000: 9\n[\s\S]*tsdump>$/);
    expect(terminal.text).toMatch(/^13$/m);
    expect(readFileSync(file, 'utf8')).toMatch(/heapproc/);
    expect(terminal.text).toMatch(/\b11$/m);
  });

  test('Ctrl-C ends the overview too, and Ctrl-Z and fg come back to the prompt', async () => {
    const command = [process.execPath, program, 'analyze', machine].join(' ');
    terminal = new TestTerminal(['bash', '--norc', '-i'], { XDG_STATE_HOME: folder });
    await terminal.shows(/[#$]$/);
    terminal.type(`${command}${keys.enter}`);
    await terminal.shows(ready);
    terminal.type('\x1a');
    await terminal.shows(/Stopped[\s\S]*[#$]$/);
    terminal.type(`fg${keys.enter}`);
    await terminal.shows(/fg\n[\s\S]*tsdump>$/);
    terminal.type(`btop 5000${keys.enter}`);
    await terminal.shows(/5000: 5\n[\s\S]*tsdump>$/);
  });

  test('another dump under the name of the one that is open is not taken for it', async () => {
    const file = join(folder, 'vmcore');
    copyFileSync(machine, file);
    terminal = new TestTerminal([process.execPath, program, 'analyze', file], {
      XDG_STATE_HOME: folder,
    });
    await terminal.shows(ready);
    renameSync(file, `${file}.old`);
    copyFileSync(machine, file);
    terminal.type(`repeat -1 btop 4000${keys.enter}`);
    await terminal.shows(/4000: 4\n4000: 4/);
    terminal.type(keys.interrupt);
    await terminal.shows(/tsdump>$/);
    terminal.type(`btop 5000; btop 5000${keys.enter}`);
    await terminal.shows(/(is another file than when the shell began[\s\S]*){2}tsdump>$/);
    expect(terminal.text).not.toMatch(/internal error/);
    renameSync(`${file}.old`, file);
    terminal.type(`btop 6000${keys.enter}`);
    await terminal.shows(/6000: 6/);
  });

  test('a mistake is explained, and the shell goes on', async () => {
    await shell();
    terminal.type(`pss${keys.enter}ps nobody${keys.enter}btop 3000${keys.enter}`);
    await terminal.shows(/3000: 3\n[\s\S]*tsdump>$/);
    expect(terminal.text).toMatch(/unknown command 'pss' \(did you mean ps\?\)/);
    expect(terminal.text).toMatch(/no task has the PID, address or name "nobody"/);
  });

  test('-i: the commands of a file come first', async () => {
    const file = join(folder, 'first');
    writeFileSync(file, 'alias first btop 4000\nfirst\n');
    open({}, '-i', file);
    await terminal.shows(ready);
    expect(terminal.text).toMatch(/^ORIGIN .*\nruntime .*\n4000: 4\n/);
    expect(terminal.text).not.toMatch(/PANIC/);
    terminal.type(`first | sed s/4/X/${keys.enter}`);
    await terminal.shows(/X000: 4/);
  });

  test('a history that cannot be kept is no reason to stop', async () => {
    const state = join(folder, 'state');
    writeFileSync(state, '');
    await shell({ XDG_STATE_HOME: state });
    terminal.type(`btop 5000${keys.enter}btop 6000${keys.enter}`);
    await terminal.shows(/6000: 6\n[\s\S]*tsdump>$/);
    expect(terminal.text.match(/the history cannot be kept/g)).toHaveLength(1);
  });
});
