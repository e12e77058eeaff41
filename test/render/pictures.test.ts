/** Time line and map of memory: what they show, and documents that stand for themselves. */

import { describe, expect, test } from 'vitest';
import { markup } from '../../src/render/markup.ts';
import { captureHtml } from '../../src/render/picture/html.ts';
import { type MapRow, memoryMapOf } from '../../src/render/picture/memory-map.ts';
import { captureSvg } from '../../src/render/picture/svg.ts';
import { memoryMapLines, timelineLines } from '../../src/render/picture/terminal.ts';
import { type Axis, timelineOf } from '../../src/render/picture/timeline.ts';
import type { CaptureReport, RunReport } from '../../src/trial/report.ts';
import { xmlProblems } from '../support/xml.ts';
import {
  completeReport,
  completeSubject,
  failingReport,
  failingSubject,
  inaccurateReport,
  inaccurateSubject,
} from './reports.ts';

const style = { width: 80, colour: 'plain' } as const;

function withStages(...times: readonly number[]): RunReport {
  let now = 0;
  const stages = times.map((ns, index) => {
    const startNs = now;
    now += ns;
    return { name: `stage ${index}`, startNs, endNs: now, result: 'ok' as const, remarks: [] };
  });
  return { ...completeReport, stages, activity: [] };
}

describe('the axis of time', () => {
  const widths = (axis: Axis, ...cuts: readonly number[]): number[] =>
    cuts.slice(1).map((cut, index) => axis.at(cut) - axis.at(cuts[index]!));

  test('is to scale where stages are alike', () => {
    const { axis } = timelineOf(withStages(10, 30));
    expect(axis.scale).toBe('linear');
    expect(axis.at(10)).toBe(0.25);
    expect([axis.at(0), axis.at(40)]).toEqual([0, 1]);
  });

  test('shows each stage where one takes a million times as long, and says so', () => {
    const report = withStages(1000, 1e9, 1000);
    const { axis } = timelineOf(report);
    expect(axis.scale).toBe('logarithmic');
    const [short = 0, long = 0, last = 0] = widths(axis, 0, 1000, 1e9 + 1000, 1e9 + 2000);
    expect(short).toBeCloseTo(1 / 9, 2);
    expect(long).toBeCloseTo(7 / 9, 2);
    expect(last).toBeCloseTo(short, 9);
    expect(timelineLines(report, style)[0]).toContain('log scale');
    expect(captureSvg({ ...completeSubject, report: { ...completeReport, ...report } })).toContain(
      'log scale',
    );
  });

  test('a stage of no time and a run of no stage are no exception', () => {
    expect(timelineOf(withStages(0, 0)).axis.at(0)).toBe(0);
    expect(timelineOf(withStages()).lanes).toEqual([]);
    expect(timelineLines(withStages(), style)).toHaveLength(3);
  });
});

test('the stage that failed is marked where it ended, on every lane', () => {
  const lines = timelineLines(failingReport, style);
  const failed = lines.find((line) => line.startsWith('machine_kexec'))!;
  const column = failed.indexOf('✗');
  expect(column).toBeGreaterThan(0);
  expect(lines.find((line) => line.startsWith('kexec lock'))![column]).toBe('┊');
});

describe('the map of memory', () => {
  const small = { columns: 8, maxRows: 4 };
  const report = (verdict: Partial<CaptureReport['verdict']['places']>): RunReport => ({
    ...completeReport,
    memory: {
      pageSize: 4096,
      endPfn: 64,
      ram: [
        { start: 0, end: 0x10000 },
        { start: 0x30000, end: 0x40000 },
      ],
      targets: {
        reserved: [{ start: 0x30000, end: 0x38000 }],
        structures: [],
        code: [{ start: 0x31000, end: 0x32000 }],
      },
    },
    verdict: {
      ...completeReport.verdict,
      places: { due: [], excused: [], different: [], absent: [], damaged: [], ...verdict },
    },
  });

  test('a cell shows the worst of its pages', () => {
    const places = {
      due: [[0, 16]],
      excused: [[2, 4]],
      absent: [[3, 6]],
      damaged: [[5, 8]],
      different: [[7, 8]],
    } as const;
    const map = memoryMapOf(report(places), small);
    expect(map.pagesPerCell).toBe(2);
    expect((map.rows[0] as MapRow).cells).toEqual([
      ...['equal', 'absent', 'damaged', 'different', 'equal', 'equal', 'equal', 'equal'],
    ]);
  });

  test('what is RAM and not due was filtered; rows without RAM are one gap', () => {
    const map = memoryMapOf(report({}), small);
    expect(map.rows).toMatchObject([
      { firstPfn: 0, cells: new Array(8).fill('not due') },
      { firstPfn: 16, endPfn: 48 },
      { firstPfn: 48 },
    ]);
    expect(memoryMapLines(report({}), { width: 40, colour: 'plain' })).toContain(
      '     0x10000 no RAM below 0x30000',
    );
  });

  test('a page that the dump invents beyond the end of memory is on the map', () => {
    const map = memoryMapOf(report({ different: [[1000, 1001]] }), small);
    const last = map.rows.at(-1) as MapRow;
    expect(last.cells).toContain('different');
  });

  test('without a file no page is called good or bad', () => {
    const map = memoryMapOf(failingReport, { columns: 64, maxRows: 16 });
    expect([...map.states].sort()).toEqual(['no RAM', 'not judged']);
  });

  test('small targets show on top of large ones, and every writer of a fault', () => {
    const map = memoryMapOf(report({}), small);
    const [code, reserved] = (map.rows[2] as MapRow).targets;
    expect([code, reserved]).toEqual(['code', 'reserved']);
    const text = memoryMapLines(inaccurateReport, style).join('\n');
    for (const mark of ['e memory error', 'd write by DMA', 'x write by a CPU']) {
      expect(text).toContain(mark);
    }
  });

  test('a write that was prevented is not on it', () => {
    const [, prevented] = failingReport.faults;
    const only = { ...failingReport, faults: [prevented!] };
    expect(memoryMapOf(only, small).writers.size).toBe(0);
  });
});

const hostile = `</style></title><script>alert("1")</script>&'\u0000\u001b[2J\ud800\ufffe\u202e`;

describe.each([
  ['complete', completeSubject],
  ['failing', failingSubject],
  ['inaccurate', inaccurateSubject],
])('the documents of a %s run', (_, subject) => {
  const svg = captureSvg(subject);
  const html = captureHtml(subject);

  test('are well-formed, and every reference in them leads somewhere', () => {
    expect(xmlProblems(svg)).toEqual([]);
    expect(xmlProblems(html)).toEqual([]);
  });

  test('need nothing from elsewhere and no script', () => {
    for (const text of [svg, html]) {
      const own = text.replaceAll(/xmlns="[^"]+"/g, '');
      expect(own.match(/https?:|<script|<link|@import|\bsrc=|\bhref=|\bon\w+=/g)).toBeNull();
    }
  });

  test('say nothing that is no value', () => {
    for (const text of [svg, html]) {
      expect(text.match(/NaN|undefined|[">]null[<"]|Infinity|\[object/g)).toBeNull();
    }
  });

  test('are the same each time', () => {
    expect(captureSvg(structuredClone(subject))).toBe(svg);
    expect(captureHtml(structuredClone(subject))).toBe(html);
  });

  test('name themselves to those who do not see them', () => {
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="title text">/);
    expect(html.match(/<svg [^>]*role="img" aria-labelledby=/g)).toHaveLength(2);
    expect(html.match(/<table>/g)!.length).toBe(html.match(/<caption>/g)!.length);
    expect(html).toContain('<html lang="en"');
  });

  test('name verdict, seed and the command that repeats the run', () => {
    expect(svg).toContain(`>${subject.report.verdict.class}<`);
    expect(html).toContain(`<pre>${subject.again}</pre>`);
    expect(html).toContain(`Seed ${subject.report.seed} `);
  });
});

test('the picture in docs/reports.md is what is drawn', async () => {
  await expect(captureSvg(inaccurateSubject)).toMatchFileSnapshot('../../docs/reports.svg');
});

test('whatever a panic, a file or a fault is called, it stays text', () => {
  const [fault] = failingReport.faults;
  const report: CaptureReport = {
    ...failingReport,
    machine: { ...failingReport.machine, name: hostile, release: hostile },
    panic: { ...failingReport.panic, message: hostile },
    faults: [{ ...fault!, fault: hostile, remarks: [hostile] }],
    activity: [{ lane: hostile, what: hostile, startNs: 0, endNs: 1e6 }],
    verdict: { ...failingReport.verdict, reasons: [hostile] },
  };
  const subject = { report, machine: hostile, output: hostile, again: hostile };
  for (const text of [captureSvg(subject), captureHtml(subject)]) {
    expect(xmlProblems(text)).toEqual([]);
    expect(text).not.toContain('<script');
  }
});

test('markup: values are escaped, markup in it is not, numbers have two decimals', () => {
  const inner = markup`<b>${'<&"\'>'}</b>`;
  expect(markup`${1 / 3} ${[inner, inner]}`.text).toBe(
    '0.33 <b>&lt;&amp;&quot;&#39;&gt;</b>\n<b>&lt;&amp;&quot;&#39;&gt;</b>',
  );
  expect(() => markup`${Number.NaN}`).toThrow();
});

test('the check of documents can fail', () => {
  expect(xmlProblems('<a><b></a>')).not.toEqual([]);
  expect(xmlProblems('<a b="1" b="2"/>')).not.toEqual([]);
  expect(xmlProblems('<a>&nbsp;</a>')).not.toEqual([]);
  expect(xmlProblems('<a>\u0000</a>')).not.toEqual([]);
  expect(xmlProblems('<a style="fill:url(#b)"/>')).not.toEqual([]);
  expect(xmlProblems('<a id="b" style="fill:url(#b)"/>')).toEqual([]);
});
