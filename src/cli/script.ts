/**
 * `tsdump analyze FILE --script SCRIPT`: a user's TypeScript or JavaScript runs in this process, on
 * the dump that was opened. What it throws is its own affair, and told apart from our bugs.
 */

import { statSync } from 'node:fs';
import * as modules from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { answer } from '../analyze/answer.ts';
import type { Script, ScriptContext } from '../analyze/script.ts';
import { DumpError } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import { addressOf, isKernelObject, typeOf } from '../linux/objects.ts';
import { exitStatus } from './exit-status.ts';
import { NoScript, sayScriptError } from './script-error.ts';
import * as hooks from './script-hooks.ts';
import type { Session } from './session.ts';

/** What was asked for beside the dump. */
export interface ScriptRequest {
  readonly file: string;
  readonly words: readonly string[];
  readonly json: boolean;
}

/** Runs the script to its end; the result is the exit status. Throws `io` and `usage`. */
export async function runScript(session: Session, request: ScriptRequest): Promise<number> {
  const file = checkedFile(request.file);
  const sayError = (error: unknown): number => sayScriptError(error, file, session);
  const run = async (): Promise<number> => {
    try {
      const script = await loadScript(file);
      return statusOf(await script(contextOf(session, request)));
    } catch (error) {
      return sayError(error);
    }
  };
  return watched(run, sayError);
}

function contextOf({ kernel, io, settings }: Session, request: ScriptRequest): ScriptContext {
  const { words, json } = request;
  return {
    ...{ dump: kernel.dump, kernel, words, json },
    print: (...values) => io.out(`${lineOf(values)}\n`),
    note(...values) {
      if (!settings.quiet) io.err(`${lineOf(values)}\n`);
    },
    answer: (line) => answer(kernel, line),
  };
}

function lineOf(values: readonly unknown[]): string {
  return values
    .map((value) => {
      if (isKernelObject(value)) return `${typeOf(value)} ${hex16(addressOf(value))}`;
      return typeof value === 'string' ? value : inspect(value);
    })
    .join(' ');
}

/** The absolute name. Throws `io`, and `usage` for what cannot be a script by its name. */
function checkedFile(file: string): string {
  if (!/\.(?:m?ts|m?js)$/.test(file)) {
    throw new DumpError('usage', `--script: "${file}" is no script by its name`, {
      hint: 'scripts end in .ts, .mts, .js or .mjs',
    });
  }
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) {
    throw new DumpError('io', stat === undefined ? 'there is no such script' : 'is no file', {
      where: { file },
      hint: 'check the name',
    });
  }
  return resolve(file);
}

async function loadScript(file: string): Promise<Script> {
  installHooks();
  const loaded = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  if (typeof loaded.default === 'function') return loaded.default as Script;
  throw new NoScript(
    'the default export is no function\n  hint: export default ({ kernel, print }) => { ... };',
  );
}

/** Not in Node 20. */
interface WithRegisterHooks {
  readonly registerHooks?: (functions: typeof hooks) => unknown;
}

function installHooks(): void {
  const { registerHooks } = modules as WithRegisterHooks;
  if (registerHooks !== undefined) registerHooks(hooks);
  else modules.register(new URL('./script-hooks.js', import.meta.url));
}

function statusOf(result: unknown): number {
  if (result === undefined || result === true) return exitStatus.done;
  if (result === false) return exitStatus.no;
  const status = Number.isInteger(result) ? Number(result) : -1;
  if (status >= 0 && status <= 255) return status;
  throw new NoScript(`it returned ${inspect(result)}, which is no exit status`);
}

/**
 * Errors that are thrown behind the script's back, in a callback or a promise of its own, end the
 * program as any other; and where nothing is left that could settle what it awaits, it is told.
 */
async function watched(
  run: () => Promise<number>,
  sayError: (error: unknown) => number,
): Promise<number> {
  const onError = (error: unknown): never => process.exit(sayError(error));
  let onEmpty = (): void => {};
  const never = new Promise<number>((settle) => {
    onEmpty = () => settle(sayError(new NoScript('it waits for something that never comes')));
  });
  process.on('uncaughtException', onError);
  process.on('beforeExit', onEmpty);
  try {
    return await Promise.race([run(), never]);
  } finally {
    process.off('uncaughtException', onError);
    process.off('beforeExit', onEmpty);
  }
}
