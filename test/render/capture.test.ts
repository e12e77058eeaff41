/** The report of a capture as text and as JSON: what a reader learns, in what order, how wide. */

import { describe, expect, test } from 'vitest';
import { type CaptureView, captureLines } from '../../src/render/capture.ts';
import { captureEnvelope } from '../../src/render/envelope.ts';
import { tableLines, wrapped } from '../../src/render/lines.ts';
import { virtualTime } from '../../src/render/words.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { schemaProblems } from '../support/schemas.ts';
import {
  completeReport,
  completeSubject,
  failingReport,
  failingSubject,
  inaccurateReport,
  inaccurateSubject,
} from './reports.ts';

const style = {
  detail: 'main',
  introduction: 'without',
  pictures: 'without',
  colour: 'plain',
} as const;

function textOf(view: Partial<CaptureView>): string {
  return captureLines({ ...failingSubject, ...style, ...view }).join('\n');
}

describe('on a terminal of 80 columns', () => {
  const whole = { introduction: 'with', pictures: 'with' } as const;

  test.each([
    ['failing', failingSubject],
    ['complete', completeSubject],
    ['inaccurate', inaccurateSubject],
  ])('a %s run is told as it was', async (name, subject) => {
    const text = `${textOf({ ...subject, ...whole })}\n`;
    await expect(text).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  test('--verbose: each edit of the set-up and each write', async () => {
    const text = `${textOf({ detail: 'all' })}\n`;
    await expect(text).toMatchFileSnapshot('golden/failing-verbose.txt');
  });
});

describe('the last line is the verdict and the next command', () => {
  const last = (view: Partial<CaptureView>): string | undefined => textOf(view).split('\n').at(-1);

  test('a dump is there to be analysed, whatever its name', () => {
    expect(last(completeSubject)).toBe('complete: tsdump analyze mkdump.lkcd');
    expect(last(inaccurateSubject)).toBe("inaccurate: tsdump analyze 'it'\\''s a dump.lkcd'");
  });

  test('without one the same run gets a closer look', () => {
    const { again } = failingSubject;
    expect(last({})).toBe(`none: no dump; for a closer look: ${again} --verbose`);
    expect(last({ detail: 'all' })).toContain(`${again} --picture capture.html`);
  });

  test('a file that nothing opens is not offered to analyze', () => {
    const verdict = { ...completeReport.verdict, class: 'unreadable' } as const;
    const report = { ...completeReport, verdict };
    expect(last({ ...completeSubject, report })).toBe(
      'unreadable: tsdump capture --seed 7 --verbose',
    );
  });
});

describe('why', () => {
  const said = (report: CaptureReport): string | undefined =>
    textOf({ report, width: 200 }).match(/^why: .*$/m)?.[0];

  test('a complete run has no reason to give', () => {
    expect(said(completeReport)).toBeUndefined();
  });

  test('the smallest change that helps is named', () => {
    expect(said(failingReport)).toBe(
      'why: smallest change that would have made it succeed: leave out ' +
        'memory:by=dma,region=kexec,writes=3,bytes=8',
    );
  });

  test('where none helps no fault is blamed', () => {
    expect(said(inaccurateReport)).toBe('why: no fault is to blame: it fails without any of them');
  });

  test('where none was given it is the method on this machine', () => {
    expect(said({ ...failingReport, faults: [] })).toMatch(/^why: no fault was given/);
  });

  test('what was not measured is not claimed', () => {
    const { why: _, ...unmeasured } = failingReport;
    expect(said(unmeasured)).toBe('why: not measured');
  });
});

test('of many writes four are shown, the others counted; --verbose shows all', () => {
  const [fault] = failingReport.faults;
  const writes = Array.from({ length: 64 }, () => fault!.writes[0]!);
  const report = { ...failingReport, faults: [{ ...fault!, writes }] };
  expect(textOf({ report }).match(/DMA of nic/g)).toHaveLength(4);
  expect(textOf({ report })).toContain('and 60 writes more (--verbose)');
  expect(textOf({ report, detail: 'all' }).match(/DMA of nic/g)).toHaveLength(64);
});

test('a run that nobody began says so', () => {
  const verdict = { ...failingReport.verdict, class: 'not-triggered' } as const;
  const panic = { ...failingReport.panic, message: '', evidence: 'no panic in the input' };
  const nothing = { stages: [], faults: [], failed: undefined };
  const report = { ...failingReport, ...nothing, panic, verdict };
  const text = textOf({ report, pictures: 'with' });
  expect(text).toContain('panic on CPU 0: no message (no panic in the input)');
  expect(text).toContain('\n\nnothing called the method\n');
  expect(text).not.toMatch(/^why|\n\n\n/m);
  expect(text.split('\n').at(-1)).toMatch(/^not-triggered: no dump/);
});

test('colour changes nothing but colour', () => {
  const colours = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  for (const subject of [failingSubject, completeSubject, inaccurateSubject]) {
    const view = { ...subject, pictures: 'with', introduction: 'with' } as const;
    const painted = textOf({ ...view, colour: 'colour' });
    expect(painted).toMatch(colours);
    expect(painted.replaceAll(colours, '')).toBe(textOf(view));
  }
});

test('a message out of a dump cannot speak to the terminal', () => {
  const panic = { ...failingReport.panic, message: 'a\u001b[2Jb\nc' };
  const text = textOf({ report: { ...failingReport, panic } });
  expect(text).toContain('panic on CPU 0: a.[2Jb c (panic_cpu is 0)');
});

describe('text', () => {
  test('is wrapped between words, long words anywhere', () => {
    expect(wrapped('one two three', 8, '  ')).toEqual(['one two', '  three']);
    expect(wrapped('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrapped('  12 abcdefgh', 8, '    ')).toEqual(['  12', '    abcd', '    efgh']);
    expect(wrapped('', 8)).toEqual(['']);
  });

  test('in a table gives way in the widest elastic column; empty columns go', () => {
    const rows = [['name', '', 'a long text here', '7']];
    const columns = { head: ['A', 'B', 'C', 'D'], width: 20, elastic: [0, 2], right: [3] };
    expect(tableLines(rows, columns)).toEqual([
      'A     C            D',
      'name  a long text  7',
      '      here',
    ]);
  });

  test.each([
    [0, '0'], [300, '0.3 us'], [16_100_000, '16.1 ms'], [7.604e9, '7.604 s'], [3600e9, '3600 s'],
  ])('%i ns are %s', (ns, text) => {
    expect(virtualTime(ns)).toBe(text);
  }); // biome-ignore format: one table
});

test('a fault with many remarks shows the first ones, and all with --verbose', () => {
  const remarks = Array.from({ length: 9 }, (_, at) => `disk: bytes ${at} cannot be written`);
  const fault = {
    fault: 'disk-bad-sectors',
    index: 0,
    effect: 'done',
    writes: [],
    remarks,
  } as const;
  const report = { ...completeReport, faults: [fault] };
  const main = textOf({ ...completeSubject, report });
  expect(main).toContain('bytes 3 cannot be written\n     and 5 more (--verbose)\n');
  expect(main).not.toContain('bytes 4 cannot');
  expect(textOf({ ...completeSubject, report, detail: 'all' })).toContain('bytes 8 cannot');
});

test.each([
  ['complete', completeReport],
  ['failing', failingReport],
  ['inaccurate', inaccurateReport],
])('the JSON of a %s run is as its schema says', (_, report) => {
  const origin = { version: '1.0.0', schema: 'capture/1', input: 'vmcore' };
  const document = captureEnvelope(origin, report, undefined);
  const data = { scenario: null, again: 'tsdump capture', ...(document.data as object) };
  const whole = { ...document, data };
  expect(schemaProblems(whole)).toEqual([]);
});
