/** A run can be repeated from its seed, and a failure is gone with the fault that it comes from. */

import { describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { runCapture } from '../../src/trial/capture.ts';
import { faultText, parseFault } from '../../src/trial/faults/fault.ts';
import { numbered } from '../../src/trial/faults/strike.ts';
import { Common, Trials } from '../../src/trial/trials.ts';
import { openPanic, strictest } from '../support/machines.ts';

const dump = await openPanic('null-process');

describe('the same seed', () => {
  const faults = [
    'memory:by=cpu,region=kernel-data,writes=16,bytes=64',
    'memory:by=dma,region=any,writes=16,bytes=64',
    'memory:by=memory-error,region=page-structs,writes=4,when=run',
    'disk-slow',
    'cpu-deaf',
  ];

  test.each(['lkcd-disk', 'lkcd-mem', 'diskdump', 'netdump', 'mkdump', 'kexec'])(
    'twice is the identical run and file: %s',
    async (method) => {
      for (const seed of [1, 2]) {
        const [first, second] = [
          await captured(method, faults, seed),
          await captured(method, faults, seed),
        ];
        expect(second.report).toEqual(first.report);
        expect(Buffer.compare(second.bytes, first.bytes)).toBe(0);
      }
    },
  );

  test('another seed strikes elsewhere', async () => {
    const places = await Promise.all(
      [1, 2].map(async (seed) => (await captured('mkdump', faults, seed)).report.faults),
    );
    expect(places[1]).not.toEqual(places[0]);
  });
});

async function captured(method: string, faults: readonly string[], seed: number) {
  const sink = new MemorySink();
  const target = { sink, open: () => memorySource('dump', sink.bytes()) };
  const trials = new Trials(dump, { sha256 }, new Common(createCodecs(nodeZlib)));
  const trial = {
    method,
    level: strictest(method),
    faults: numbered(faults.map(parseFault)),
    seed,
  };
  const report = await trials.run(trial, { target });
  return { report, bytes: sink.bytes() };
}

/** Each fails by the fault that it is named for, on the machine that is otherwise sound. */
const failures: readonly (readonly [method: string, fault: string])[] = [
  ['kexec', 'memory:by=dma,region=segments,writes=8,bytes=256'],
  ['kexec', 'lock-held:name=kexec'],
  ['kexec', 'disk-hung:until=never'],
  ['kexec', 'watchdog:seconds=2'],
  ['kexec', 'disk-too-small:percent=3'],
  ['mkdump', 'memory:by=dma,region=dump-code,writes=8,bytes=256'],
  ['mkdump', 'disk-hung:until=never'],
  ['mkdump', 'disk-too-small:percent=3'],
  ['lkcd-disk', 'lock-held:name=queue'],
  ['lkcd-disk', 'queue-stuck'],
  ['lkcd-disk:2004', 'interrupt-stuck'],
  ['lkcd-mem', 'cpu-deaf'],
  ['lkcd-mem', 'memory:by=dma,region=dump-code,writes=8,bytes=256'],
];

test.each(failures)('%s fails by %s and by nothing else', async (method, fault) => {
  const harmless = 'memory:by=dma,region=slab,writes=2';
  const sink = new MemorySink();
  const report = await runCapture({
    dump,
    method,
    level: strictest(method),
    machine: { sha256 },
    codecs: createCodecs(nodeZlib),
    faults: [harmless, fault, 'disk-busy'].map(parseFault),
    seed: 7,
    target: { sink, open: () => memorySource('dump', sink.bytes()) },
  });
  expect(report.verdict.class).not.toBe('complete');
  expect(report.why?.smallest).toEqual([faultText(parseFault(fault))]);
  const removed = report.why?.removals.map(({ verdict }) => verdict === 'complete');
  expect(removed).toEqual([false, true, false]);
});
