/**
 * What proves that an outcome follows from memory and devices: bytes that a method never looks at
 * change nothing, bytes that it executes change everything, and it makes no difference who wrote
 * them. 500 seeds for a method, and fewer for other generations of it; TSDUMP_SEEDS=n tries n
 * seeds of each.
 */

import { describe, expect, test } from 'vitest';
import { KeptFile } from '../../src/bytes/kept-file.ts';
import { methodWords, parseMethod } from '../../src/capture/catalogue.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { rememberingCodecs } from '../../src/codec/remember.ts';
import { isZeroPage } from '../../src/dump/content.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { MachineMemory } from '../../src/machine/memory.ts';
import type { TraceEvent } from '../../src/machine/trace.ts';
import { type AccessMap, AccessRecorder } from '../../src/trial/access-recorder.ts';
import { Questioner } from '../../src/trial/answers.ts';
import { parseFault } from '../../src/trial/faults/fault.ts';
import { Random } from '../../src/trial/faults/random.ts';
import { type FaultNote, numbered, strike } from '../../src/trial/faults/strike.ts';
import { type Blow, PreparedCapture } from '../../src/trial/prepared.ts';
import type { RunReport } from '../../src/trial/report.ts';
import { footprints, openPanic } from '../support/machines.ts';

const chosen = process.env['TSDUMP_SEEDS'];
/** The methods whose code is their own, or that go through most of the kernel's. */
const thorough = ['lkcd-disk', 'lkcd-net', 'diskdump', 'netdump', 'mkdump', 'kexec'];

function seedsOf(method: string): readonly number[] {
  const length = Number(chosen ?? (thorough.includes(method) ? 500 : 8));
  return Array.from({ length }, (_, seed) => seed);
}

/** Damage: as much as a stray word. */
const size = 8;
const codecs = rememberingCodecs(createCodecs(nodeZlib));
const questioner = new Questioner();
const dump = await openPanic('null-process');
const blueprint = blueprintOf(dump, { sha256, footprints });

interface Told {
  readonly report: RunReport;
  readonly trace: readonly TraceEvent[];
}

/** Without compression, and with zero pages left in: the size of the file says nothing of bytes. */
function prepared(method: string): PreparedCapture {
  const level = Math.max(...(parseMethod(method).method.levels ?? [30]));
  return new PreparedCapture(blueprint, { method, level, compression: compressionOf(method) });
}

/** LKCD's memory dump is the one that has to compress: without, it would not fit. */
function compressionOf(method: string): 'none' | 'zlib' {
  return parseMethod(method).method.compressions.includes('none') ? 'none' : 'zlib';
}

async function told(of: PreparedCapture, blow: Blow, onEnd = (): void => {}): Promise<Told> {
  const trace: TraceEvent[] = [];
  const run = of.begin(blow);
  run.machine.trace = (event) => trace.push(event);
  run.finish({ codecs });
  onEnd();
  const file = new KeptFile();
  const target = { sink: file, open: () => file.source() };
  return { report: await run.conclude(target, { codecs }, questioner), trace };
}

/** A sound run, with every byte that it needs. The analyzer's and the judge's are none of them. */
async function sound(of: PreparedCapture): Promise<Told & { needs: AccessMap }> {
  const recorder = new AccessRecorder();
  let memory: MachineMemory | undefined;
  const result = await told(
    of,
    (machine) => {
      memory = machine.memory;
      memory.watcher = recorder;
      return [];
    },
    () => {
      memory!.watcher = undefined;
    },
  );
  return { ...result, needs: recorder.whole.map };
}

/** What the analyzer finds in damaged memory is its own affair: the same in memory and dump. */
function outcome({ verdict, stages }: RunReport): unknown {
  const { class: verdictClass, reasons, pages, places } = verdict;
  return { verdictClass, reasons, pages, places, stages };
}

/** What is left of a run where sizes, and with them times, follow from bytes. */
function courseOf(method: string, { trace, report }: Told): unknown {
  if (compressionOf(method) === 'none') return { trace, outcome: outcome(report) };
  const events = trace.filter(({ what }) => what === 'execute' || what === 'stop');
  return {
    events: events.map(({ ns, ...rest }) => rest),
    verdict: { ...report.verdict, answers: undefined },
    stages: report.stages.map(({ name, result, cause }) => ({ name, result, cause })),
  };
}

function isNeeded(needs: AccessMap, at: number): boolean {
  return Array.from({ length: size }, (_, byte) => at + byte).some((byte) => needs.has(byte));
}

function flip(machine: Machine, at: number, count: number): readonly FaultNote[] {
  const before = new PhysicalMemory(machine.memory).read(BigInt(at), count);
  machine.memory.write(
    BigInt(at),
    before.map((byte) => byte ^ 0x5a),
  );
  return [];
}

/** These execute nothing of the kernel that is dumped. */
const outside = ['hypervisor', 'live-naive'];

describe.each(methodWords)('%s', { timeout: 1_800_000 }, (method) => {
  const of = prepared(method);
  const seeds = seedsOf(method);

  test('bytes that it never looks at change neither trace nor verdict', async () => {
    const { needs, ...well } = await sound(of);
    const { report } = well;
    expect(report.verdict.class).toBe(method === 'live-naive' ? 'inaccurate' : 'complete');
    // Pages that are in the dump and not of zeros, before and after: else its size changes.
    const pfns = report.verdict.places!.due.flatMap(([first, end]) =>
      Array.from({ length: end - first }, (_, at) => first + at),
    );
    const memory = of.begin().machine.memory;
    let struck = 0;
    for (const seed of seeds) {
      const random = new Random(seed, 0, 'metamorphic');
      const pfn = random.pick(pfns);
      const at = pfn * 4096 + random.below(4096 / size) * size;
      if (isZeroPage(memory.readPage(pfn).bytes!) || isNeeded(needs, at)) continue;
      struck++;
      const damaged = await told(of, (machine) => flip(machine, at, size));
      expect(courseOf(method, damaged), `seed ${seed}`).toEqual(courseOf(method, well));
    }
    expect(struck).toBeGreaterThan(seeds.length / 2);
  });

  test('the same bytes and device states by hand and by faults are the same run', async () => {
    const faults = ['memory:by=dma,region=slab,writes=8,bytes=16', 'disk-hung', 'disk-busy'];
    for (const seed of seeds.slice(0, 50)) {
      const byFault = await told(of, (machine, targets) => {
        return strike(machine, targets, numbered(faults.map(parseFault)), seed);
      });
      const [damage] = byFault.report.faults;
      const byHand = await told(of, (machine) => {
        for (const { physical, after } of damage!.writes) {
          machine.memory.write(BigInt(physical!), Buffer.from(after.replaceAll(' ', ''), 'hex'));
        }
        machine.disk.condition = { ...machine.disk.condition, hung: 'until reset', inFlight: 32 };
        return [];
      });
      expect(byHand.trace, `seed ${seed}`).toEqual(byFault.trace);
      expect(outcome(byHand.report), `seed ${seed}`).toEqual(outcome(byFault.report));
    }
  });

  if (outside.includes(method)) return;

  test('a changed byte of what it executes changes the trace', async () => {
    const { trace, report: well } = await sound(of);
    // Another CPU that faults in its NMI handler does not end the run.
    const executed = trace.filter(({ what, cpu }) => what === 'execute' && cpu === well.panic.cpu);
    expect(executed.length).toBeGreaterThan(1);
    for (const seed of seeds) {
      const random = new Random(seed, 0, 'metamorphic');
      const { name, detail } = random.pick(executed);
      const place = random.pick(placesOf(detail!));
      const at = place.start + BigInt(random.below(place.size));
      const { trace: changed, report } = await told(of, (machine) => {
        const physical = isVirtual(at) ? machine.virtual.translate(at).physical : at;
        return flip(machine, Number(physical), 1);
      });
      const what = `seed ${seed}: ${name} at ${at.toString(16)}`;
      expect(changed, what).not.toEqual(trace);
      // A module that diskdump finds to be damaged is not executed: it has netdump to fall back on.
      const remarks = report.stages.flatMap((stage) => stage.remarks).join();
      if (/^sda1: checksum error/.test(remarks)) continue;
      expect(changed.at(-1), what).toMatchObject({ what: 'stop' });
      // What several CPUs execute may strike another one, and a method may wait for that.
      // LKCD runs into its own lock then, and hangs; diskdump checks its own code, and finds it.
      const { kind, cause, name: stage } = report.failed!;
      const end = `${kind === 'refused' ? stage : kind}: ${cause}`;
      expect(end, what).toMatch(
        /wild jump|nested fault|faulted in its NMI handler|^checksum|^sanity check/,
      );
    }
  });
});

/** What the trace says of an execution: `0xADDRESS+0xSTART-0xEND+...`. */
function placesOf(detail: string): { start: bigint; size: number }[] {
  const [address = '', ...ranges] = detail.split('+');
  return ranges.map((range) => {
    const [start = '', end = ''] = range.split('-');
    return { start: BigInt(address) + BigInt(start), size: Number(BigInt(end) - BigInt(start)) };
  });
}

function isVirtual(address: bigint): boolean {
  return address >= 1n << 63n;
}
