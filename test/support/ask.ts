/** Runs a line as `tsdump analyze FILE` would, in this process. */

import { questionOf } from '../../src/analyze/answer.ts';
import type { Answer } from '../../src/analyze/command.ts';
import { callOf } from '../../src/analyze/parse.ts';
import { splitWords } from '../../src/analyze/words.ts';
import type { Kernel } from '../../src/linux/kernel.ts';

/** The answer to `vtop -c 1 400000`, not yet put into words. */
export async function answerOf(kernel: Kernel, line: string): Promise<Answer> {
  const question = await questionOf(callOf(splitWords(line)));
  return question.ask(kernel, { input: 'dump' });
}

/** Its lines; a line that has several is taken apart. */
export async function linesOf(kernel: Kernel, line: string): Promise<string[]> {
  return [...(await answerOf(kernel, line)).text()].join('\n').split('\n');
}
