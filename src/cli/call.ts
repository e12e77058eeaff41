/** Words as a command of analyze: by the same tree as the command line, so that nothing differs. */

import { CommanderError } from 'commander';
import type { Call } from '../analyze/parse.ts';
import { DumpError } from '../bytes/errors.ts';
import { errorLines } from '../render/errors.ts';
import { exitStatus, exitStatusOf } from './exit-status.ts';
import type { Settings } from './handlers.ts';
import { createProgram, globalsFirst } from './program.ts';
import { packageVersion } from './version.ts';

export interface Parsed {
  /** Undefined: there is nothing to run, as after `help`. */
  readonly call: Call | undefined;
  readonly settings: Settings;
  readonly status: number;
  /** What is to be printed: a help, or what is wrong with the words. */
  readonly out: string;
  readonly err: string;
}

const plain: Settings = { json: false, quiet: false, verbose: false, color: true, strict: false };

/** Throws whatever is neither a call nor a mistake in one. */
export async function parseCall(words: readonly string[]): Promise<Parsed> {
  let parsed: Pick<Parsed, 'call' | 'settings'> = { call: undefined, settings: plain };
  const said = { out: '', err: '' };
  const refuse = (): never => {
    throw new DumpError('usage', 'only commands of analyze can be asked of a dump');
  };
  const program = createProgram({
    version: packageVersion(),
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    welcome: () => {},
    analyze: ({ command, words: operands, options, input }, settings) => {
      const others = { ...input, ...(command === undefined ? options : {}) };
      const [option] = Object.keys(others);
      if (option !== undefined) {
        throw new DumpError('usage', `--${option} belongs to the command line, not to a command`);
      }
      const call = command === undefined ? undefined : { command, words: operands, options };
      parsed = { call, settings };
    },
    info: refuse,
    check: refuse,
    save: refuse,
    capture: refuse,
    convert: refuse,
    repair: refuse,
    scenario: refuse,
    compare: refuse,
    serve: refuse,
    completion: refuse,
  });
  try {
    await program.parseAsync(globalsFirst(['analyze', ...words]), { from: 'user' });
    return { ...parsed, ...said, status: exitStatus.done };
  } catch (error) {
    if (error instanceof DumpError) {
      const err = `${errorLines(error).join('\n')}\n`;
      return { ...parsed, ...said, err, status: exitStatusOf(error) };
    }
    if (!(error instanceof CommanderError)) throw error;
    const status = error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    return { ...parsed, ...said, status };
  }
}
