/** What a user's script threw, in the user's terms: its own lines of the stack, and no others. */

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { DumpError } from '../bytes/errors.ts';
import { exitStatus } from './exit-status.ts';
import { sayFailure } from './failure.ts';
import { withoutTypes } from './script-hooks.ts';
import type { Session } from './session.ts';

/** A script that is none: its message says it all, the stack would be ours. */
export class NoScript extends Error {}

const ourselves = new URL('../..', import.meta.url).href;
/** Those who call a script: they stand below its own frames. */
const callers = [`${ourselves}dist/cli/`, `${ourselves}bin/`, '/node_modules/commander/'];

/**
 * Prints what left the script `file`; the result is the exit status. A DumpError is what it is
 * anywhere else, with the line of the script that met it.
 */
export function sayScriptError(error: unknown, file: string, session: Session): number {
  const { io, settings } = session;
  if (error instanceof DumpError) {
    const status = sayFailure(session.blame(error), { file: null, schema: 'script', settings, io });
    const place = framesOf(error.stack ?? '').find((frame) => !frame.includes(ourselves));
    if (place !== undefined) io.err(`  script: ${withPath(place).trim()}\n`);
    return status;
  }
  if (error instanceof NoScript) {
    io.err(`tsdump: script: ${error.message}\n`);
    return exitStatus.script;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : inspect(error);
  const shown = located(error, stack, file);
  const lines = [...messageOf(shown), ...(settings.verbose ? allFrames(shown) : framesOf(shown))];
  io.err(`tsdump: script: ${lines.map(withPath).join('\n')}\n`);
  for (const hint of hintsFor(stack)) io.err(`  hint: ${hint}\n`);
  return exitStatus.script;
}

const isFrame = (line: string): boolean => /^ +at /.test(line);

function messageOf(stack: string): string[] {
  return stack.split('\n').filter((line) => !isFrame(line));
}

function allFrames(stack: string): string[] {
  return stack.split('\n').filter(isFrame);
}

/** Without the frames of Node, and of those who called the script. */
function framesOf(stack: string): string[] {
  const frames = allFrames(stack).filter((line) => !/[ (]node:|\(<anonymous>\)/.test(line));
  const isCaller = (line: string): boolean => callers.some((folder) => line.includes(folder));
  const last = frames.findLastIndex((line) => !isCaller(line));
  return frames.slice(0, last + 1);
}

/** Node does not say where a module cannot be parsed: the compiler of TypeScript does. */
function located(error: unknown, stack: string, file: string): string {
  if (!(error instanceof SyntaxError) || /file:|\n +at [^\n]*:\d+:\d+$/.test(stack)) return stack;
  try {
    withoutTypes(readFileSync(file, 'utf8'), file);
  } catch (better) {
    if (better instanceof SyntaxError) return `SyntaxError: ${better.message}`;
  }
  return stack;
}

/** Files below the current directory by their relative names, as they were probably given. */
function withPath(line: string): string {
  return line.replace(/(?:file:\/\/)?(\/[^\s():]+)(?=:\d+)/g, (whole, path: string) => {
    const absolute = whole.startsWith('file:') ? fileURLToPath(whole) : path;
    const near = relative(process.cwd(), absolute);
    return near === '' || near.startsWith('..') ? absolute : near;
  });
}

function hintsFor(stack: string): string[] {
  if (/does not provide an export named/.test(stack)) {
    return ['a type is imported with `import type`: nothing of it is left at run time'];
  }
  const [top = ''] = framesOf(stack);
  if (!top.includes(`${ourselves}dist/`)) return [];
  return ['thrown inside of tsdump: where the script is right, this is our bug'];
}
