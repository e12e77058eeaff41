/** What `ask-8.0.2.mjs` wrote down: what crash 8.0.2 said of test/dumps/sysrq.kdump. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** Of a file under answers/sysrq-8.0.2: each line as it was typed, and what came of it. */
export function told(name: string): [line: string, answer: string[]][] {
  const path = new URL(`answers/sysrq-8.0.2/${name}.txt`, import.meta.url);
  const [, ...parts] = readFileSync(path, 'utf8').split(/^crash> /m);
  return parts.map((part) => {
    const [line = '', ...answer] = part.split('\n');
    return [line, comparable(answer)];
  });
}

/** What crash answers otherwise, by line: the proof that we are right. */
export type Otherwise = Readonly<Record<string, (crash: string[], ours: string[]) => void>>;

/** Tests that every answer of a file is ours, but for those that are named. */
export function saysAsCrash(
  subject: string,
  ask: (line: string) => Promise<readonly string[]>,
  otherwise: Otherwise = {},
): void {
  describe(`crash 8.0.2 on sysrq.kdump, ${subject}`, () => {
    const answers = told(subject);
    let equal = 0;

    test.each(answers)('%s', async (line, crash) => {
      const ours = comparable(await ask(line));
      const proof = otherwise[line];
      if (proof === undefined) {
        expect(ours).toEqual(crash);
        equal++;
      } else {
        expect(ours).not.toEqual(crash);
        proof(crash, ours);
      }
    });

    test('is what we say in all but the named differences', () => {
      const named = Object.keys(otherwise).length;
      const rest = named === 0 ? '' : `, ${named} more but for what is proved`;
      console.log(
        `crash 8.0.2, ${subject}: ${equal} of ${answers.length} answers are equal${rest}`,
      );
      expect(equal).toBe(answers.length - named);
    });
  });
}

/** Without blank lines at the end; `$1` counts the values of a session. */
export function comparable(lines: readonly string[]): string[] {
  const text = lines
    .join('\n')
    .replace(/\$\d+ = /g, '$N = ')
    .replace(/\n+$/, '');
  return text === '' ? [] : text.split('\n');
}
