/** What `--verbose` says of the time: which phases there were, and whose time is whose. */

import { afterEach, describe, expect, test } from 'vitest';
import { callOf } from '../../src/analyze/parse.ts';
import { splitWords } from '../../src/analyze/words.ts';
import { answerCall, withSession } from '../../src/cli/analyze.ts';
import type { Io } from '../../src/cli/io.ts';
import { Phases } from '../../src/cli/phases.ts';
import { Session } from '../../src/cli/session.ts';
import { machine } from '../support/cli.ts';

const settings = { json: false, quiet: true, verbose: true, color: false, strict: false };

/** What was said to standard error. */
let said = '';
const unread: Io = {
  out: () => {},
  open: () => ({ write: async () => true, end: async () => 0 }),
  err: (text) => {
    said += text;
  },
  colour: false,
  width: undefined,
  progress: false,
};

let session: Session | undefined;
afterEach(() => session?.close());

/** The phases that were printed for these lines, asked in one session. */
async function phasesOf(lines: readonly string[], changes = {}): Promise<string[][]> {
  session = new Session(machine, { ...settings, ...changes }, unread);
  await session.open();
  const found: string[][] = [];
  for (const line of lines) {
    said = '';
    await answerCall(session, callOf(splitWords(line)));
    found.push([...said.matchAll(/^ *\d+\.\d ms {2}(.+)$/gm)].map((match) => match[1]!));
  }
  return found;
}

const start = ['loading of the program', 'opening', 'VMCOREINFO and page tables'];
const loading = 'loading of the command';

describe('--verbose names the phases that there were', () => {
  test('the log takes neither symbols nor types', async () => {
    expect(await phasesOf(['log'])).toEqual([[...start, loading, 'log']]);
  });

  test('tasks take symbols and types, but no list of modules', async () => {
    expect(await phasesOf(['ps'])).toEqual([[...start, loading, 'symbols', 'types', 'ps']]);
  });

  test('a type that vmlinux does not have is looked for in modules', async () => {
    const [phases] = await phasesOf(['struct no_such_struct']);
    expect(phases).toContain('types of modules');
  });

  test('what has been read is not read again', async () => {
    expect(await phasesOf(['mod', 'mod', 'ps'])).toEqual([
      [...start, loading, 'symbols', 'types', 'modules', 'mod'],
      [loading, 'mod'],
      [loading, 'ps'],
    ]);
  });

  test('without it nothing is said', async () => {
    expect(await phasesOf(['ps'], { verbose: false })).toEqual([[]]);
  });

  test('of a file that cannot be opened, so far as it came', async () => {
    said = '';
    await withSession({ file: '/nowhere' }, 'sys/1', settings, unread, () => 0);
    expect(said).toMatch(/^ *\d+\.\d ms {2}opening$/m);
    expect(said).not.toContain('VMCOREINFO');
  });
});

describe('the time of a phase', () => {
  const at =
    (times: number[]): (() => number) =>
    () =>
      times.shift()!;

  test('is its own, without that of the phases within it', async () => {
    const phases = new Phases('start', at([100, 100, 110, 130, 131, 132, 150]));
    await phases.awaited('outer', async () => {
      phases.timed('inner', () => {});
      phases.timed('inner', () => {});
    });
    expect(phases.lines()).toEqual([
      '   100.0 ms  start',
      '    21.0 ms  inner',
      '    29.0 ms  outer',
    ]);
    expect(phases.lines()).toEqual([]);
  });

  test('is known of a phase that failed, too', () => {
    const phases = new Phases('start', at([0, 1, 3]));
    const fail = (): never => {
      throw new Error('no types');
    };
    expect(() => phases.timed('types', fail)).toThrow('no types');
    expect(phases.lines()).toEqual(['     0.0 ms  start', '     2.0 ms  types']);
  });
});
