/** Files that foreign programs are to read, and what crash says of them. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Sink } from '../../src/bytes/sink.ts';
import type { Dump } from '../../src/dump/types.ts';
import { fileSink } from '../../src/host/file-sink.ts';
import type { Kernel } from '../../src/linux/kernel.ts';
import { expectEqual } from './pages.ts';

/** Has a writer make a whole file; the result is its path. */
export function save(path: string, write: (sink: Sink) => void): string {
  const sink = fileSink(path, { overwrite: false });
  write(sink);
  sink.finish();
  return path;
}

/** Every page that `left` has and `right` should have; how many there are. */
export function comparePages(left: Dump, right: Dump): number {
  let compared = 0;
  for (const { first, end, state } of left.runs()) {
    for (let pfn = first; state === 'stored' && pfn < end; pfn++) {
      expectEqual(right.readPage(pfn).bytes, left.readPage(pfn).bytes!);
      compared++;
    }
  }
  return compared;
}

/** A session of crash that is to be held. */
export interface CrashSession {
  readonly crash: string;
  /** Options, the kernel with its symbols, the files. */
  readonly words: readonly string[];
  readonly questions: readonly string[];
  /** Where the questions are written down. */
  readonly commandFile: string;
}

/**
 * What crash prints for each question. stdin must not be a terminal, and -s would hide errors.
 */
export async function askCrash(session: CrashSession): Promise<string[]> {
  const { crash, words, questions, commandFile } = session;
  writeFileSync(commandFile, [...questions, 'exit', ''].join('\n'));
  const all = ['--no_scroll', '-i', commandFile, ...words];
  const child = promisify(execFile)(crash, all, { maxBuffer: 64 * 1024 * 1024 });
  child.child.stdin?.end();
  const lines = (await child).stdout.split('\n');
  // Commands from a file are shown behind the prompt.
  const at = (question = 'exit'): number => lines.indexOf(`crash> ${question}`);
  return questions.map((question, index) =>
    lines.slice(at(question) + 1, at(questions[index + 1])).join('\n'),
  );
}

/** Some formats have no place where crash would find the kernel: both numbers are given. */
export function located({ vmcoreinfo }: Kernel): string[] {
  const base = vmcoreinfo.number('phys_base');
  return [`--kaslr=0x${vmcoreinfo.text('KERNELOFFSET')}`, '-m', `phys_base=${base}`];
}
