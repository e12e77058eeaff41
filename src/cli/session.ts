/** An opened dump, what has been settled about it, and how its answers are to look. */

import type { Context } from '../analyze/command.ts';
import { DumpError } from '../bytes/errors.ts';
import type { Dump } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import type { Settings } from './handlers.ts';
import { openInput } from './input.ts';
import type { InputFlags } from './input-options.ts';
import type { Io } from './io.ts';
import { Phases } from './phases.ts';

export class Session {
  /** As the user named it. */
  readonly file: string;
  readonly settings: Settings;
  readonly io: Io;
  readonly phases = new Phases('loading of the program');
  context: Context;
  #flags: InputFlags;
  #dump: Dump | undefined;
  #kernel: Kernel | undefined;

  constructor(file: string, settings: Settings, io: Io, flags: InputFlags = {}) {
    this.file = file;
    this.settings = settings;
    this.io = io;
    this.context = { input: file };
    this.#flags = flags;
  }

  /** How the file is to be read; once it was opened, with what was found beside it. */
  get flags(): InputFlags {
    return this.#flags;
  }

  /** Undefined as long as the file could not be opened. */
  get dump(): Dump | undefined {
    return this.#dump;
  }

  get kernel(): Kernel {
    if (this.#kernel === undefined) throw new Error('the session was not opened');
    return this.#kernel;
  }

  /** Opens the file, or opens it again with nothing left of what was known of it. */
  async open(): Promise<void> {
    this.close();
    const opened = await this.phases.awaited('opening', () => {
      return openInput([this.file], this.#flags);
    });
    this.#dump = opened.dump;
    this.#flags = opened.flags;
    if (!this.settings.quiet) for (const remark of opened.remarks) this.io.err(`${remark}\n`);
    this.#kernel = openKernel(this.#dump, undefined, this.phases.timed);
  }

  close(): void {
    this.#dump?.close();
    this.#dump = undefined;
    this.#kernel = undefined;
  }

  /** With --verbose: where the time went since this was last asked. */
  sayPhases({ verbose }: Settings): void {
    const lines = this.phases.lines();
    if (verbose) for (const line of lines) this.io.err(`${line}\n`);
  }

  /** What a cut dump lacks was perhaps behind the cut: said, and a page is not called absent. */
  blame(error: unknown): unknown {
    const incomplete = this.#dump?.incomplete;
    if (!(error instanceof DumpError) || error.code !== 'absent') return error;
    if (incomplete === undefined) return error;
    const { message, where, cause } = error;
    const code = where.pfn === undefined ? error.code : 'truncated';
    const advice = error.hint === undefined ? '' : `${error.hint}; `;
    return new DumpError(code, message, { where, hint: `${advice}${incomplete}`, cause });
  }
}
