/**
 * Where the lines of one answer go: to standard output, through a pager on a terminal, or into a
 * command of the system's shell. Lines are shown as they come; what nobody reads any more is not
 * made.
 */

import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { DumpError } from '../bytes/errors.ts';

export interface Output {
  /** Waits until there is room for more; the result is whether anybody still reads. */
  write(text: string): Promise<boolean>;
  /** Waits until all of it has been read; the result is the exit status of who read it. */
  end(): Promise<number>;
}

export function standardOutput(): Output {
  return {
    // Only between two pieces does the process learn that nobody reads any more, and end.
    write: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve(true))),
    end: async () => 0,
  };
}

/** `| grep x`, `> file`: what stands behind a command, for /bin/sh. */
export function shellOutput(rest: string): Output {
  return childOutput(spawn('/bin/sh', ['-c', `cat ${rest}`], { stdio: intoChild }));
}

const intoChild: StdioOptions = ['pipe', 'inherit', 'inherit'];

/** Who has waited so long is shown what there is, without a pager. */
const patienceMs = 1000;

/** The size of a terminal, in characters. */
export interface Screen {
  readonly rows: number;
  readonly columns: number;
}

/** Shows what fits on the terminal at once, and more in the pager. */
export function pagedOutput(pager: string, screen: Screen): Output {
  const began = Date.now();
  let held = '';
  let rows = 0;
  let target: Output | undefined;
  return {
    async write(text) {
      if (target !== undefined) return target.write(text);
      held += text;
      for (const line of text.split('\n').slice(0, -1)) {
        rows += Math.max(1, Math.ceil(line.length / screen.columns));
      }
      // The last row belongs to the prompt.
      const isLong = rows >= screen.rows;
      if (!isLong && Date.now() - began < patienceMs) return true;
      target = isLong && isThere(pager) ? pagerOutput(pager) : standardOutput();
      return target.write(held);
    },
    async end() {
      if (target === undefined) process.stdout.write(held);
      await target?.end();
      // A pager that was left early has done what it was asked for.
      return 0;
    },
  };
}

/** Does the system's shell know the program that a command begins with. */
function isThere(command: string): boolean {
  const program = command.split(/\s+/).find((word) => word !== '' && !/^\w+=/.test(word)) ?? '';
  const find = ['-c', 'command -v "$1" > /dev/null', 'sh', program];
  return spawnSync('/bin/sh', find, { stdio: 'ignore' }).status === 0;
}

function pagerOutput(pager: string): Output {
  return childOutput(spawn('/bin/sh', ['-c', pager], { stdio: intoChild, env: pagerEnv() }));
}

/** As git sets them: colours pass, and what is already on the screen stays there. */
function pagerEnv(): NodeJS.ProcessEnv {
  return { LESS: 'RX', ...process.env };
}

function childOutput(child: ChildProcess): Output {
  const { stdin } = child;
  const closed = statusOf(child);
  let isOpen = true;
  const gone = closed.then(() => {
    isOpen = false;
  });
  // The reader may leave at any time: that is no error, `isOpen` says it.
  stdin?.on('error', () => {
    isOpen = false;
  });
  return {
    async write(text) {
      if (isOpen && stdin?.write(text) === false) {
        const drained = new Promise((resolve) => stdin.once('drain', resolve));
        await inBackground(Promise.race([drained, gone]));
      }
      return isOpen;
    },
    async end() {
      stdin?.end();
      return exitStatusOf(closed);
    },
  };
}

/** Runs a command of a shell in front of everything; the result is its exit status. */
export function runInFront(shell: string, words: readonly string[]): Promise<number> {
  return exitStatusOf(statusOf(spawn(shell, words, { stdio: 'inherit' })));
}

type Status = number | NodeJS.Signals | Error;

async function statusOf(child: ChildProcess): Promise<Status> {
  try {
    const [status, signal] = await once(child, 'close');
    return signal ?? status;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * As a shell tells it: 128 and the number of a signal. Whoever pressed Ctrl-C meant us as well.
 * Throws `io` for a program that could not be run.
 */
async function exitStatusOf(ended: Promise<Status>): Promise<number> {
  const status = await inBackground(ended);
  if (status instanceof Error) {
    throw new DumpError('io', `the shell cannot be run: ${status.message}`, { cause: status });
  }
  if (status === 'SIGINT') process.kill(process.pid, 'SIGINT');
  return typeof status === 'number' ? status : 128 + constants.signals[status];
}

/** Waits for what is in front: Ctrl-C is for that, and would end us without a listener. */
async function inBackground<T>(waitedFor: Promise<T>): Promise<T> {
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  try {
    return await waitedFor;
  } finally {
    process.off('SIGINT', ignore);
  }
}

/** The pager to use, undefined where there is to be none. */
export function pagerCommand(env: NodeJS.ProcessEnv): string | undefined {
  if (['dumb', '', undefined].includes(env['TERM'])) return undefined;
  const pager = env['PAGER'] ?? 'less';
  return pager === '' || pager === 'cat' ? undefined : pager;
}
