/** Runs a line as `tsdump analyze FILE` would, in this process. */

import type { Answer } from '../../src/analyze/command.ts';
import { splitWords } from '../../src/cli/pipe.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { Kernel } from '../../src/linux/kernel.ts';

/** The answer to `vtop -c 1 400000`, not yet put into words. */
export async function answerOf(kernel: Kernel, line: string): Promise<Answer> {
  let answer: Answer | undefined;
  let said = '';
  const refuse = (): never => {
    throw new Error(`${line} is no command of analyze`);
  };
  const program = createProgram({
    version: '0',
    out: () => {},
    err: (text) => {
      said += text;
    },
    welcome: refuse,
    analyze: async ({ command, words, options }) => {
      const { run } = await command!.load();
      answer = run(kernel, words, options, 'dump');
    },
    capture: refuse,
    scenario: refuse,
  });
  await program.parseAsync(['analyze', ...splitWords(line)], { from: 'user' });
  if (answer === undefined) throw new Error(`${line}: ${said}`);
  return answer;
}

/** Its lines; a line that has several is taken apart. */
export async function linesOf(kernel: Kernel, line: string): Promise<string[]> {
  return [...(await answerOf(kernel, line)).text()].join('\n').split('\n');
}
