/** The dumps that a command about files names: each by itself, parts of a split dump as one. */

import { DumpError } from '../bytes/errors.ts';
import { inspectFile } from '../dump/inspect.ts';
import type { Depth, Inspection } from '../dump/inspection.ts';
import { fileSource } from '../host/file-source.ts';
import { exitStatus } from './exit-status.ts';
import { sayFailure } from './failure.ts';
import type { Settings } from './handlers.ts';
import { type OpenedInput, openInput } from './input.ts';
import type { InputFlags } from './input-options.ts';
import type { Io } from './io.ts';

export interface InputGroup extends OpenedInput {
  /** As the user named it. */
  readonly name: string;
  readonly paths: readonly string[];
}

export interface Inputs {
  readonly paths: readonly string[];
  readonly flags: InputFlags;
  /** Of the answer. */
  readonly schema: string;
  readonly settings: Settings;
  readonly io: Io;
}

/**
 * Answers one dump after the other; the result is the worst exit status. What cannot be opened is
 * said, and the others are answered all the same.
 */
export async function forEachInput(
  inputs: Inputs,
  answer: (input: InputGroup) => Promise<number>,
): Promise<number> {
  const { paths, flags } = inputs;
  const together = await openTogether(inputs);
  if (together !== undefined) return answered(inputs, together, answer);
  let worst: number = exitStatus.done;
  for (const path of paths) {
    try {
      const opened = await openInput([path], flags);
      const input = { ...opened, name: path, paths: [path] };
      worst = Math.max(worst, await answered(inputs, input, answer));
    } catch (error) {
      worst = Math.max(worst, sayFailure(error, { ...inputs, file: path }));
    }
  }
  return worst;
}

async function answered(
  { settings, io }: Inputs,
  input: InputGroup,
  answer: (input: InputGroup) => Promise<number>,
): Promise<number> {
  try {
    if (!settings.quiet) for (const remark of input.remarks) io.err(`${remark}\n`);
    return await answer(input);
  } finally {
    input.dump.close();
  }
}

/** Undefined where the files are no parts of one dump, or one of them cannot be opened. */
async function openTogether({ paths, flags }: Inputs): Promise<InputGroup | undefined> {
  if (paths.length < 2) return undefined;
  try {
    return { ...(await openInput(paths, flags)), name: paths.join(' '), paths };
  } catch (error) {
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

/** The structure of all files of a dump, and their size in bytes. */
export async function inspected(
  { paths, flags }: Pick<InputGroup, 'paths' | 'flags'>,
  depth: Depth,
): Promise<Inspection & { readonly fileBytes: number }> {
  const all: Inspection[] = [];
  let fileBytes = 0;
  for (const path of paths) {
    const source = fileSource(path);
    try {
      fileBytes += source.size;
      all.push(await inspectFile(source, depth, flags.format));
    } finally {
      source.close();
    }
  }
  return {
    fileBytes,
    details: all.flatMap(({ details }, index) => {
      return paths.length === 1 ? details : [{ name: 'file', value: paths[index]! }, ...details];
    }),
    findings: all.flatMap(({ findings }) => findings),
    more: all.reduce((sum, { more }) => sum + more, 0),
    promisedPages: all[0]?.promisedPages,
  };
}
