/** Runs the built program as a user does: a child process of its own, from `dist`. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const program = join(root, 'bin/tsdump.js');
export const machine = join(root, 'test/dumps/sysrq.kdump');

/** Real dumps, which a lone clone does not have. */
export const images = process.env['TSDUMP_IMAGES'] ?? join(root, '../shared/images');
export const haveImages = existsSync(join(images, 'null.kdump'));

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** For node itself. */
  readonly nodeOptions?: readonly string[];
}

export function tsdump(words: readonly string[], options: RunOptions = {}): Run {
  const { cwd = root, input, env = {}, nodeOptions = [] } = options;
  const run = spawnSync(process.execPath, [...nodeOptions, program, ...words], {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input }),
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** The documents that a run with `--json` printed, a line each. */
export function documentsOf(stdout: string) {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
