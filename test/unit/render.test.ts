/** How results look: errors, completeness, times, words of the command line. */

import { describe, expect, test } from 'vitest';
import { taintLetters } from '../../src/analyze/taint.ts';
import { crashDate, duration } from '../../src/analyze/time.ts';
import { splitWords } from '../../src/analyze/words.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import { suggestion } from '../../src/bytes/suggest.ts';
import { printable } from '../../src/bytes/text.ts';
import { catalogue, methodWords } from '../../src/capture/catalogue.ts';
import { parseCompression, parseLevel } from '../../src/cli/capture-options.ts';
import { exitStatusOf } from '../../src/cli/exit-status.ts';
import { commandTree, globalsFirst, takeFile } from '../../src/cli/program.ts';
import { splitLine } from '../../src/cli/shell/line.ts';
import { completenessLines } from '../../src/render/completeness.ts';
import { answerEnvelope, captureEnvelope, failureEnvelope } from '../../src/render/envelope.ts';
import { errorJson, errorLines } from '../../src/render/errors.ts';
import { verdictClasses } from '../../src/trial/verdict-classes.ts';
import { completeReport } from '../render/reports.ts';

const error = new DumpError('corrupt', 'page descriptor 8123 says 70112 bytes', {
  where: { file: 'vmcore', offset: 0x2f91c0, physical: 0x1fbb000n },
  hint: 'the rest is still readable',
});

describe('errors', () => {
  test('a person reads code, message, place and hint', () => {
    expect(errorLines(error)).toEqual([
      'tsdump: corrupt: page descriptor 8123 says 70112 bytes',
      '  at vmcore +0x2f91c0 (physical 0x1fbb000)',
      '  hint: the rest is still readable',
    ]);
  });

  test('a program reads the same fields, addresses as strings of 16 digits', () => {
    expect(errorJson(error)).toEqual({
      code: 'corrupt',
      message: 'page descriptor 8123 says 70112 bytes',
      where: { file: 'vmcore', offset: 0x2f91c0, physical: '0x0000000001fbb000' },
      hint: 'the rest is still readable',
    });
  });

  test('names out of a dump cannot speak to the terminal', () => {
    expect(errorLines(new DumpError('absent', 'no \u001b[2Jtask'))[0]).toBe(
      'tsdump: absent: no .[2Jtask',
    );
    expect(printable('a\tb\r\n\u009bc\u00e9')).toBe('a\tb...cé');
  });

  test.each([
    ['usage', 2], ['unsupported', 3], ['corrupt', 4], ['truncated', 4], ['absent', 5],
    ['excluded', 5], ['mismatch', 5], ['io', 6],
  ] as const)('%s ends with %i', (code, status) => {
    expect(exitStatusOf(new DumpError(code, ''))).toBe(status);
  }); // biome-ignore format: one table

  test('anything else is our bug', () => {
    expect(exitStatusOf(new TypeError('x'))).toBe(70);
  });
});

describe('completeness', () => {
  const whole = { json: () => ({ a: 1 }), text: () => [], counted: '3 tasks', missing: [] };
  const missing = [{ what: 'tasks', count: 2, why: 'page excluded' }];
  const origin = { version: '1.0.0', schema: 'ps/1', input: 'vmcore' };

  test('a whole answer says so', () => {
    expect(completenessLines(whole)).toEqual(['3 tasks, complete']);
  });

  test('a partial one says what is missing, how much and why', () => {
    expect(completenessLines({ ...whole, missing, errors: [error] })).toEqual([
      '3 tasks, incomplete: tasks: 2 missing, page excluded',
      ...errorLines(error),
    ]);
  });

  test('of many failures five are shown, the others counted', () => {
    const errors = Array.from({ length: 8 }, () => new DumpError('absent', 'x'));
    const lines = completenessLines({ ...whole, missing, errors });
    expect(lines).toHaveLength(1 + 5 + 1);
    expect(lines.at(-1)).toBe('and 3 more');
  });

  test('an envelope is complete when nothing is missing', () => {
    expect(answerEnvelope(origin, whole)).toEqual({
      tsdump: '1.0.0',
      schema: 'ps/1',
      input: 'vmcore',
      complete: true,
      missing: [],
      data: { a: 1 },
      errors: [],
    });
    expect(answerEnvelope(origin, { ...whole, missing }).complete).toBe(false);
  });

  test('a failure has no data and its error', () => {
    const failure = failureEnvelope(origin, error);
    expect(failure).toMatchObject({ complete: false, data: null });
    expect(failure.errors).toEqual([errorJson(error)]);
  });

  test.each(verdictClasses)('a capture whose verdict is %s is complete only if that is', (each) => {
    const verdict = { ...completeReport.verdict, class: each, reasons: ['one', 'two'] };
    const report = { ...completeReport, verdict };
    const isComplete = each === 'complete';
    const why = `${each}: one; two`;
    expect(captureEnvelope(origin, report, 'out')).toMatchObject({
      complete: isComplete,
      missing: isComplete ? [] : [{ what: 'dump', count: null, why }],
      data: { output: 'out' },
    });
  });
});

describe('times', () => {
  test("dates are crash's, in UTC", () => {
    expect(crashDate(1_795_329_730)).toBe('Sun Nov 22 06:42:10 UTC 2026');
    expect(crashDate(0)).toBe('Thu Jan  1 00:00:00 UTC 1970');
  });

  test('a damaged clock is no exception', () => {
    expect(crashDate(1e18)).toBe('(1000000000000000000 s since 1970)');
  });

  test('durations count days apart', () => {
    expect(duration(15.9)).toBe('00:00:15');
    expect(duration(10 * 86_400 + 14 * 3600 + 14 * 60 + 39)).toBe('10 days, 14:14:39');
  });
});

test('taint flags have letters, unknown ones a number', () => {
  expect(taintLetters((1n << 12n) | (1n << 13n))).toBe('OE');
  expect(taintLetters(1n << 60n)).toBe('(60)');
  expect(taintLetters(0n)).toBe('');
});

describe('words of the command line', () => {
  test('FILE is taken out of analyze, wherever options stand', () => {
    const taken = { words: ['analyze', 'ps', '-u'], file: 'vmcore', scriptWords: [] };
    expect(takeFile(['analyze', 'vmcore', 'ps', '-u'])).toEqual(taken);
    const valued = ['-c', 'ps -u', '-i', 'file', '--script', 'x.ts', 'vmcore', '--', '--json'];
    expect(takeFile(['analyze', ...valued])).toEqual({
      words: ['analyze', '-c', 'ps -u', '-i', 'file', '--script', 'x.ts'],
      file: 'vmcore',
      scriptWords: ['--json'],
    });
    expect(takeFile(['analyze', '--help']).file).toBeUndefined();
    expect(takeFile(['capture', '-o', 'analyze']).file).toBeUndefined();
  });

  test('options of tsdump itself go to the front, those of others stay where they are', () => {
    expect(takeFile(['analyze', 'vmcore', 'vtop', '-c', '1', '--json']).words).toEqual([
      ...['--json', 'analyze', 'vtop', '-c', '1'],
    ]);
    expect(globalsFirst(['analyze', 'print', '--', '--json'])).toEqual([
      ...['analyze', 'print', '--', '--json'],
    ]);
  });

  test('quotes of either kind hold words together', () => {
    expect(splitWords('ps  -u "two words" \'x\'')).toEqual(['ps', '-u', 'two words', 'x']);
    expect(splitWords('   ')).toEqual([]);
  });

  test('# begins a comment, but not within a word', () => {
    expect(splitLine('ps -u # all')).toEqual(['ps -u']);
    expect(splitLine('sym a#b')).toEqual(['sym a#b']);
    expect(splitLine('   # nothing')).toEqual([]);
  });

  test('a slip of the fingers gets a suggestion, a different word none', () => {
    expect(suggestion('kexce', ['mkdump', 'kexec'])).toBe(' (did you mean kexec?)');
    expect(suggestion('zzz', ['mkdump', 'kexec'])).toBe('');
  });

  test('levels are bits or names', () => {
    expect(parseLevel('31')).toBe(31);
    expect(parseLevel('zero,free')).toBe(17);
    expect(() => parseLevel('32')).toThrow('the highest level is 31');
    expect(() => parseLevel('fre')).toThrow('did you mean free?');
  });

  test('gzip is zlib', () => {
    expect(parseCompression('gzip', ['none', 'zlib'])).toBe('zlib');
    expect(() => parseCompression('zstd', ['none', 'zlib'])).toThrow('unknown "zstd"');
  });
});

describe('the tree of commands knows, without importing them,', () => {
  const tree = commandTree('');

  test('the classes of the judge', () => {
    const help = tree.commands.find((command) => command.name() === 'capture')!.helpInformation();
    for (const name of verdictClasses) expect(help).toContain(name);
  });

  test('the methods, each with a command of its own that knows its compressions', () => {
    const help = tree.commands.find((command) => command.name() === 'capture')!.helpInformation();
    for (const word of methodWords) expect(help).toContain(word);
    for (const { name, compressions } of catalogue) {
      const [family = name, member] = name.startsWith('lkcd-') ? name.split('-') : [name];
      const node = tree.commands.find((command) => command.name() === family)!;
      const own = member && node.commands.find((command) => command.name() === member)!;
      const { options } = own || node;
      const compress = options.find(({ long }) => long === '--compress');
      for (const compression of compressions) expect(compress?.description).toContain(compression);
    }
  });
});
