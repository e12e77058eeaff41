/**
 * Lines of commands, typed or from a file: each command is tried, in the words of crash. What
 * stands behind `|` or `>` and after `!` is for /bin/sh.
 */

import { constants } from 'node:os';
import { expandAlias } from '../../analyze/alias.ts';
import { commands } from '../../analyze/table.ts';
import { splitWords } from '../../analyze/words.ts';
import { DumpError } from '../../bytes/errors.ts';
import { exitStatus } from '../exit-status.ts';
import { sayError } from '../failure.ts';
import type { Io } from '../io.ts';
import { type Output, runInFront, shellOutput } from '../output.ts';
import type { Asker } from './asker.ts';
import { splitLine, splitOutput } from './line.ts';

/** How scripts written for crash end. */
const leavingWords: ReadonlySet<string> = new Set(['exit', 'quit', 'q']);

/** Characters; an argument of a process may have four times as many bytes. */
const longestLine = 32 * 1024;

/** The exit status of what Ctrl-C ended. */
const stopped = 128 + constants.signals.SIGINT;

const never = new AbortController().signal;

export class Shell {
  readonly #asker: Asker;
  readonly #io: Io;
  /** Somebody said `exit`. */
  hasLeft = false;

  constructor(asker: Asker, io: Io) {
    this.#asker = asker;
    this.#io = io;
  }

  /**
   * Runs every command of a line; the result is the highest exit status, undefined if none ran.
   * Throws what the asker throws.
   */
  async run(line: string, signal: AbortSignal = never): Promise<number | undefined> {
    refuseNoText(line);
    let worst: number | undefined;
    for (const command of splitLine(line)) {
      // What an alias stands for may be several commands.
      for (const part of splitLine(this.#expanded(command))) {
        if (leavingWords.has(part)) {
          this.hasLeft = true;
          return worst ?? exitStatus.done;
        }
        const status = await this.#run(part, signal);
        worst = Math.max(worst ?? exitStatus.done, status);
        // As in other shells: who stopped one of them meant all.
        if (status === stopped) return worst;
      }
    }
    return worst;
  }

  /** No alias hides a command. */
  #expanded(command: string): string {
    const [word] = command.split(/\s/);
    if (commands.some(({ name }) => name === word)) return command;
    return expandAlias(this.#asker.context.aliases, command);
  }

  async #run(command: string, signal: AbortSignal): Promise<number> {
    if (command.startsWith('!')) return this.#runElsewhere(command.slice(1).trim());
    const { scroll = 'on' } = this.#asker.context;
    const { text, rest } = splitOutput(command);
    const open = (length: 'finite' | 'endless'): Output => {
      if (rest !== '') return shellOutput(rest);
      return this.#io.open(length === 'finite' ? scroll : 'off');
    };
    try {
      return await this.#asker.ask(splitWords(text), open, signal);
    } catch (error) {
      // The commands that follow may do better.
      if (error instanceof DumpError) return sayError(error, 'line', this.#io);
      throw error;
    }
  }

  /** A command of the system's shell, or that shell itself. */
  async #runElsewhere(command: string): Promise<number> {
    const shell = process.env['SHELL'] ?? '/bin/sh';
    const words = command === '' ? [] : ['-c', command];
    try {
      return await runInFront(shell, words);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const hint = 'SHELL in the environment names the shell';
      return sayError(new DumpError('io', error.message, { hint, cause: error }), 'line', this.#io);
    }
  }
}

/** Whoever takes a dump for a file of commands would run what it holds. */
function refuseNoText(line: string): void {
  if (line.length > longestLine) {
    throw new DumpError('usage', `a line of ${line.length} characters is no command`);
  }
  if (/[^\P{Cc}\t]/u.test(line)) {
    throw new DumpError('usage', 'the commands are no text: one has control characters in it');
  }
}
