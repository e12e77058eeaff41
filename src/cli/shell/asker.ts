/**
 * Who answers the commands of a shell: this thread, or one of its own, which can be stopped at work
 * so that Ctrl-C ends a command and not the shell. Answers are synchronous work: in the thread that
 * does it no signal would have a turn.
 */

import { Worker } from 'node:worker_threads';
import type { Context } from '../../analyze/command.ts';
import { type FileIdentity, identityOf } from '../file-identity.ts';
import type { Settings } from '../handlers.ts';
import type { InputFlags } from '../input-options.ts';
import type { Io } from '../io.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { askWords, type Open } from './ask.ts';
import type { Completions } from './complete.ts';
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts';

export interface Asker {
  /** What has been settled by the commands so far. */
  readonly context: Context;
  /**
   * Has a command answered; the result is the exit status. Throws Interrupted after the signal, and
   * what was thrown that is no answer.
   */
  ask(words: readonly string[], open: Open, signal: AbortSignal): Promise<number>;
}

/** Somebody pressed Ctrl-C. */
export class Interrupted extends Error {}

/** Answers at once; Ctrl-C ends everything. */
export class SameThread implements Asker {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  get context(): Context {
    return this.#session.context;
  }

  ask(words: readonly string[], open: Open): Promise<number> {
    return askWords(this.#session, words, open);
  }
}

/** Tells whoever waits for longer than a second that something is at work. */
class Clock {
  readonly #io: Io;
  readonly #timer: NodeJS.Timeout | undefined;
  #seconds = 0;

  constructor(io: Io) {
    this.#io = io;
    if (io.progress) this.#timer = setInterval(() => this.#tick(), 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#seconds > 0) this.#io.err('\r\x1b[K');
    this.#seconds = 0;
  }

  #tick(): void {
    this.#seconds++;
    this.#io.err(`\r${this.#seconds} s; Ctrl-C stops it`);
  }
}

/** Answers from a thread that opens the dump for itself, again after it was stopped. */
export class OwnThread implements Asker {
  context: Context;
  readonly #settings: Settings;
  readonly #io: Io;
  readonly #identity: FileIdentity;
  readonly #flags: InputFlags;
  #thread: Worker | undefined;

  constructor({ context, flags, settings, io }: Session) {
    this.#flags = flags;
    this.#identity = identityOf(context.input);
    this.context = context;
    this.#settings = settings;
    this.#io = io;
  }

  ask(words: readonly string[], open: Open, signal: AbortSignal): Promise<number> {
    let output: Output | undefined;
    let isWhole = false;
    const clock = new Clock(this.#io);
    const stop = new AbortController();
    const onAbort = (): void => {
      // Where all of it is there, what is pressed is for the pager.
      if (!isWhole) stop.abort();
    };
    signal.addEventListener('abort', onAbort);
    return this.#exchange<number>({ ask: words }, stop.signal, async (message, reply) => {
      if (!('open' in message)) clock.stop();
      if ('open' in message) output = open(message.open);
      else if ('write' in message) reply({ isRead: await output!.write(message.write), status: 0 });
      else if ('end' in message) {
        isWhole = true;
        const status = await output!.end();
        output = undefined;
        reply({ isRead: true, status });
      } else if ('out' in message) this.#io.out(message.out);
      else if ('err' in message) this.#io.err(message.err);
      else if ('status' in message) {
        this.context = message.context;
        return message.status;
      }
      return undefined;
    }).finally(() => {
      signal.removeEventListener('abort', onAbort);
      clock.stop();
      return output?.end();
    });
  }

  complete(line: string): Promise<Completions> {
    const never = new AbortController().signal;
    return this.#exchange<Completions>({ complete: line }, never, async (message) => {
      return 'completions' in message ? message.completions : undefined;
    });
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
    this.#thread = undefined;
  }

  /** Sends a question and hears what comes, until `hear` has the answer. */
  #exchange<T>(
    question: { readonly ask: readonly string[] } | { readonly complete: string },
    signal: AbortSignal,
    hear: (message: FromThread, reply: (to: ToThread) => void) => Promise<T | undefined>,
  ): Promise<T> {
    this.#thread ??= this.#start();
    const thread = this.#thread;
    return new Promise<T>((resolve, reject) => {
      const onMessage = (message: FromThread): void => {
        if ('gone' in message) this.#thread = undefined;
        hear(message, (to) => thread.postMessage(to)).then((answer) => {
          if (answer === undefined) return;
          leave();
          resolve(answer);
        }, onError);
      };
      const onError = (error: Error): void => {
        leave();
        this.close().then(() => reject(error), reject);
      };
      const onAbort = (): void => onError(new Interrupted());
      const onExit = (): void => onError(new Error('the thread has ended'));
      const leave = (): void => {
        thread.off('message', onMessage).off('error', onError).off('exit', onExit);
        signal.removeEventListener('abort', onAbort);
        // Somebody who leaves the shell need not wait for it.
        thread.unref();
      };
      thread.ref();
      thread.on('message', onMessage).on('error', onError).on('exit', onExit);
      signal.addEventListener('abort', onAbort);
      const to: ToThread = { ...question, context: this.context };
      thread.postMessage(to);
    });
  }

  #start(): Worker {
    const { colour, width } = this.#io;
    const workerData: ThreadStart = {
      file: this.context.input,
      flags: this.#flags,
      identity: this.#identity,
      settings: this.#settings,
      ...{ colour, width },
    };
    const thread = new Worker(new URL('./thread.js', import.meta.url), { workerData });
    thread.once('exit', () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    return thread;
  }
}
