/** What was typed in earlier sessions. */

import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { DumpError } from '../../bytes/errors.ts';

/** Lines that are kept. */
export const historyLines = 1000;

/** By the XDG Base Directory Specification: what a program remembers. */
export function historyFile(env: NodeJS.ProcessEnv): string {
  const state = env['XDG_STATE_HOME'] ?? '';
  // By the specification a relative one is none.
  return join(!isAbsolute(state) ? join(homedir(), '.local/state') : state, 'tsdump/history');
}

export class History {
  readonly #file: string;
  /** Oldest first. */
  readonly lines: readonly string[];
  readonly #all: readonly string[];
  #last: string;
  #isFirst = true;

  /** A file that cannot be read is as good as none. */
  constructor(file: string) {
    this.#file = file;
    this.#all = readLines(file);
    this.lines = this.#all.slice(-historyLines);
    this.#last = this.lines.at(-1) ?? '';
  }

  /** Throws `io`. */
  add(line: string): void {
    if (line.trim() === '' || line === this.#last) return;
    this.#last = line;
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      if (this.#isFirst && this.#all.length > 2 * historyLines) {
        const fresh = `${this.#file}.new`;
        writeFileSync(fresh, `${this.lines.join('\n')}\n`, { mode: 0o600 });
        renameSync(fresh, this.#file);
      }
      this.#isFirst = false;
      appendFileSync(this.#file, `${line}\n`, { mode: 0o600 });
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
      throw new DumpError('io', `the history cannot be kept: ${code}`, {
        where: { file: this.#file },
        cause,
      });
    }
  }
}

function readLines(file: string): string[] {
  try {
    if (!statSync(file).isFile()) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
