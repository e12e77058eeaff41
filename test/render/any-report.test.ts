/** Any report can be told: whatever a run did, its text fits and its documents are well-formed. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CaptureSubject, captureLines } from '../../src/render/capture.ts';
import { lengthOf } from '../../src/render/lines.ts';
import { captureHtml } from '../../src/render/picture/html.ts';
import { captureSvg } from '../../src/render/picture/svg.ts';
import type { FaultNote } from '../../src/trial/faults/strike.ts';
import type { PfnRun } from '../../src/trial/judge.ts';
import type { CaptureReport, StageReport } from '../../src/trial/report.ts';
import { verdictClasses } from '../../src/trial/verdict-classes.ts';
import { xmlProblems } from '../support/xml.ts';
import { completeReport } from './reports.ts';

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ minLength: 90, maxLength: 200 }),
);
const texts = fc.array(text, { maxLength: 3 });
const ns = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 1e4 }),
  fc.double({ min: 0.001, max: 3.6e12, noNaN: true }),
);
const bytes = fc.nat({ max: 2 ** 40 });
const count = fc.nat({ max: 1e9 });

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

/** Without the members that are undefined. */
const bare = <T extends object>(value: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  value.map((whole) => {
    const members = Object.entries(whole).filter(([, member]) => member !== undefined);
    return Object.fromEntries(members) as T;
  });

const stage = bare(
  fc.record({
    name: text,
    ns,
    result: fc.constantFrom('ok', 'failed'),
    kind: optional(fc.constantFrom('refused', 'hang', 'wild jump')),
    cause: optional(text),
    object: optional(text),
    pages: optional(count),
    bytes: optional(bytes),
    retries: optional(count),
    remarks: texts,
  }),
);

const stages = fc.array(stage, { maxLength: 12 }).map((list) => {
  let now = 0;
  return list.map(({ ns: took, ...rest }) => {
    const startNs = now;
    now += took;
    return { ...rest, startNs, endNs: now } as StageReport;
  });
});

const address = fc
  .nat({ max: 2 ** 36 })
  .map((value) => `0x${value.toString(16).padStart(16, '0')}`);
const outcomes = [
  'done',
  'unchanged',
  'scheduled',
  'read-only',
  'not mapped',
  'no memory',
] as const;
const write = bare(
  fc.record({
    writer: fc.constantFrom('CPU 0', 'DMA of nic', 'memory error'),
    region: text,
    physical: optional(address),
    virtual: optional(address),
    symbol: optional(text),
    before: optional(text),
    after: text,
    outcome: fc.constantFrom(...outcomes),
    atNs: optional(ns),
  }),
);
const fault = fc.record({
  fault: text,
  index: fc.nat({ max: 99 }),
  effect: fc.constantFrom('done', 'prevented', 'scheduled'),
  writes: fc.array(write, { maxLength: 10 }),
  remarks: texts,
}) as fc.Arbitrary<FaultNote>;

const range = fc.tuple(bytes, bytes).map(([start, length]) => ({ start, end: start + length }));
const ranges = fc.array(range, { maxLength: 4 });
const run = fc
  .tuple(fc.nat({ max: 2 ** 28 }), fc.integer({ min: 1, max: 2 ** 20 }))
  .map(([first, pages]): PfnRun => [first, first + pages]);
const runs = fc.array(run, { maxLength: 4 });
const places = fc.record({
  due: runs,
  excused: runs,
  different: runs,
  absent: runs,
  damaged: runs,
});
const pages = fc.record({
  ...{ due: count, equal: count, excused: count },
  ...{ different: count, absent: count, damaged: count },
});
const answer = fc.constantFrom('equal', 'different', 'not asked');

const report = fc
  .record({
    stages,
    seed: fc.nat(),
    faults: fc.array(fault, { maxLength: 4 }),
    setup: fc.array(fc.record({ what: text, address, before: text, after: text }), {
      maxLength: 3,
    }),
    ownWrites: fc.array(
      fc.tuple(text, range).map(([what, at]) => ({ what, ...at })),
      { maxLength: 3 },
    ),
    activity: fc.array(
      fc.tuple(text, text, ns, ns).map(([lane, what, startNs, took]) => ({
        ...{ lane, what, startNs, endNs: startNs + took },
      })),
      { maxLength: 6 },
    ),
    memory: fc.record({
      pageSize: fc.constant(4096),
      endPfn: fc.nat({ max: 2 ** 30 }),
      ram: ranges,
      targets: fc.record({ code: ranges, structures: ranges, reserved: ranges }),
    }),
    panic: fc.record({ cpu: fc.nat(), task: address, message: text, evidence: text }),
    verdict: fc.record({
      class: fc.constantFrom(...verdictClasses),
      reasons: texts,
      pages: optional(pages),
      places: optional(places),
      answers: optional(fc.dictionary(text, answer, { maxKeys: 3 })),
    }),
    saved: optional(fc.record({ bytes, remarks: texts })),
    why: optional(
      fc.record({
        removals: fc.array(
          fc.record({ fault: text, verdict: fc.constantFrom(...verdictClasses) }),
          {
            maxLength: 3,
          },
        ),
        smallest: texts,
      }),
    ),
  })
  .map(({ why, ...rest }) => {
    const failed = rest.stages.find(({ result }) => result === 'failed');
    const whole = { ...completeReport, ...rest, failed };
    return (why === undefined ? whole : { ...whole, why }) as CaptureReport;
  });

const again = 'tsdump capture --again';
const subject: fc.Arbitrary<CaptureSubject> = fc
  .tuple(report, text, optional(fc.constant('out.lkcd')))
  .map(([told, machine, output]) => ({ report: told, machine, output, again }));

const options = { seed: 0x7d, numRuns: 60 };

test('its lines fit the terminal; only commands to copy may be longer', () => {
  const styles = fc.record({
    detail: fc.constantFrom('main', 'all'),
    introduction: fc.constantFrom('with', 'without'),
    pictures: fc.constantFrom('with', 'without'),
    width: fc.integer({ min: 72, max: 200 }),
  });
  fc.assert(
    fc.property(subject, styles, (told, style) => {
      const lines = captureLines({ ...told, ...style, colour: 'plain' });
      expect(lines.at(-1)).toMatch(new RegExp(`^${told.report.verdict.class}: `));
      for (const line of lines) {
        expect(line).not.toMatch(/\p{Cc}/u);
        if (!line.includes(again)) expect(lengthOf(line), line).toBeLessThanOrEqual(style.width);
      }
    }),
    options,
  );
});

test('its documents are well-formed', () => {
  fc.assert(
    fc.property(subject, (told) => {
      expect(xmlProblems(captureSvg(told))).toEqual([]);
      expect(xmlProblems(captureHtml(told))).toEqual([]);
    }),
    options,
  );
});
