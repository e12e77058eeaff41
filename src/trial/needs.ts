/**
 * What a method needs intact of the crashed kernel: measured by one run on the undamaged machine,
 * in which every byte is recorded that it executes, reads, or is led through by a page table. What
 * it merely puts into the dump is no need.
 */

import type { CaptureTargets, CaptureTools } from '../capture/method.ts';
import type { Codecs } from '../codec/types.ts';
import type { Dump } from '../dump/types.ts';
import { blueprintOf, type MachineOptions } from '../machine/blueprint.ts';
import type { Machine } from '../machine/machine.ts';
import type { PhysicalRange } from '../machine/ram.ts';
import { type Accesses, type AccessKind, AccessRecorder } from './access-recorder.ts';
import { type RegionName, regionOf } from './faults/regions.ts';
import { type CaptureChoice, PreparedCapture } from './prepared.ts';
import type { CaptureRun } from './run.ts';

/** Bytes, each of them once. */
export interface NeededBytes {
  readonly pages: number;
  readonly code: number;
  readonly pageTable: number;
  readonly data: number;
}

export interface StageNeeds extends NeededBytes {
  readonly name: string;
  readonly functions: number;
  /** Types of the objects that it looks at. */
  readonly structures: readonly string[];
}

/** Where the bytes lie. */
export interface PlaceNeeds extends NeededBytes {
  readonly place: string;
}

/** PFNs, end exclusive; ascending. The most delicate kind that a page is read as. */
export interface NeededRun {
  readonly first: number;
  readonly end: number;
  readonly kind: AccessKind;
}

/** Plain data. */
export interface Needs extends NeededBytes {
  readonly method: string;
  readonly generation: string;
  readonly level: number;
  readonly machine: {
    readonly release: string | undefined;
    readonly cpus: number;
    readonly ramBytes: number;
    readonly pageSize: number;
    readonly endPfn: number;
    readonly ram: readonly PhysicalRange[];
  };
  /** Undefined: the method got to its end. */
  readonly stopped: string | undefined;
  readonly stages: readonly StageNeeds[];
  readonly places: readonly PlaceNeeds[];
  readonly functions: readonly string[];
  readonly structures: readonly { readonly type: string; readonly objects: number }[];
  readonly variables: readonly string[];
  readonly locks: readonly { readonly name: string; readonly address: bigint }[];
  /** What must work: `CPU 1 takes an interrupt`, `disk: 312 commands`. */
  readonly devices: readonly string[];
  readonly runs: readonly NeededRun[];
}

export interface NeedsRequest extends CaptureChoice {
  readonly dump: Dump;
  readonly machine: MachineOptions;
  readonly codecs: Codecs;
}

/** Throws DumpErrors of the dump's kernel, and of a method that cannot be set up on it. */
export async function needsOf(request: NeedsRequest): Promise<Needs> {
  return (await recorded(request)).needs;
}

/** The needs, and every byte of them. */
export async function recorded({
  dump,
  machine: options,
  codecs,
  ...choice
}: NeedsRequest): Promise<{ readonly needs: Needs; readonly accesses: Accesses }> {
  const run = new PreparedCapture(blueprintOf(dump, options), choice).begin();
  const { machine, method } = run;
  await codecs.prepare(run.options.compression);
  const recorder = new AccessRecorder();
  const targets = run.targets;
  machine.memory.watcher = recorder;
  machine.trace = (event) => {
    if (event.what === 'stage') recorder.begin(event.name);
    recorder.onEvent(event);
  };
  const tools: CaptureTools = { codecs };
  run.finish(tools);
  machine.memory.watcher = undefined;
  machine.trace = undefined;
  return { needs: summary(run, recorder, targets, method.name), accesses: recorder.whole };
}

function summary(
  run: CaptureRun,
  recorder: AccessRecorder,
  targets: CaptureTargets,
  method: string,
): Needs {
  const { machine, options } = run;
  const { whole } = recorder;
  const last = run.stages.at(-1);
  const isVariable = (name: string): boolean => machine.kernel.symbols.inKernel(name) !== undefined;
  const types = [...whole.objects].map(([type, found]) => ({ type, objects: found.size }));
  return {
    ...{ method, generation: options.generation, level: options.level },
    machine: {
      release: machine.input.uts?.release,
      cpus: machine.cpus.length,
      ramBytes: machine.ram.reduce((sum, { start, end }) => sum + end - start, 0),
      pageSize: machine.memory.pageSize,
      endPfn: machine.memory.endPfn,
      ram: machine.ram,
    },
    stopped: last?.result === 'failed' ? `${last.name}: ${last.cause}` : undefined,
    ...bytesOf(whole, whole.map.pfns),
    stages: recorder.stages.map(({ name, accesses }) => ({
      name,
      ...bytesOf(accesses, accesses.map.pfns),
      functions: accesses.functions.size,
      structures: [...accesses.objects.keys()],
    })),
    places: placesOf(machine, whole, targets),
    functions: [...whole.functions],
    structures: types.sort((a, b) => b.objects - a.objects || (a.type < b.type ? -1 : 1)),
    // What a trace calls read is not always a variable's name.
    variables: [...whole.variables].filter(isVariable).sort(),
    locks: [...whole.locks].map(([name, address]) => ({ name, address })),
    devices: devicesOf(machine, recorder),
    runs: runsOf(whole),
  };
}

function bytesOf({ map }: Accesses, pfns: readonly number[]): NeededBytes {
  const sum = { pages: pfns.length, code: 0, pageTable: 0, data: 0 };
  for (const pfn of pfns) {
    const counts = map.count(pfn);
    sum.code += counts.code;
    sum.pageTable += counts['page table'];
    sum.data += counts.data;
  }
  return sum;
}

/** A page belongs to the first of them that has a byte of it. */
const regionsInOrder: readonly [region: RegionName, place: string][] = [
  ['dump-code', "the method's own code"],
  ['kexec', "the method's own structures"],
  ['reserved', 'reserved region'],
  ['page-tables', 'page tables'],
  ['kernel-text', 'kernel text'],
  ['module-text', 'module text'],
  ['module-data', 'module data'],
  ['kernel-data', 'kernel data'],
  ['page-structs', 'page structs'],
  ['slab', 'slab objects'],
];
const elsewhere = 'elsewhere: constants, stacks, buffers';

function placesOf(machine: Machine, accesses: Accesses, targets: CaptureTargets): PlaceNeeds[] {
  const { pageSize } = machine.memory;
  const left = new Set(accesses.map.pfns);
  const found: PlaceNeeds[] = [];
  for (const [region, place] of regionsInOrder) {
    const pfns: number[] = [];
    for (const { physical, bytes } of regionOf(machine, targets, region).pieces) {
      const end = Math.ceil((physical + bytes) / pageSize);
      for (let pfn = Math.floor(physical / pageSize); pfn < end; pfn++) {
        if (left.delete(pfn)) pfns.push(pfn);
      }
    }
    if (pfns.length > 0) found.push({ place, ...bytesOf(accesses, pfns) });
  }
  if (left.size > 0) found.push({ place: elsewhere, ...bytesOf(accesses, [...left]) });
  return found;
}

function devicesOf(machine: Machine, { interrupted }: AccessRecorder): string[] {
  const cpus = [...interrupted].filter((cpu) => cpu !== machine.panic.cpu).sort();
  const lanes = new Set(machine.activity.map(({ lane }) => lane));
  return [
    ...cpus.map((cpu) => `CPU ${cpu} takes an interrupt`),
    ...machine.disks.flatMap(({ commands, partitions }) =>
      commands > 0 ? [`disk ${partitions[0]!.name}: ${commands} commands`] : [],
    ),
    ...(lanes.has('nic') ? ['network card, and a server behind it'] : []),
    ...(machine.clock.limits.watchdogNs === undefined ? [] : ['hardware watchdog']),
  ];
}

function runsOf({ map }: Accesses): NeededRun[] {
  const runs: { first: number; end: number; kind: AccessKind }[] = [];
  for (const pfn of map.pfns) {
    const counts = map.count(pfn);
    const kind = counts.code > 0 ? 'code' : counts['page table'] > 0 ? 'page table' : 'data';
    const last = runs.at(-1);
    if (last?.end === pfn && last.kind === kind) last.end++;
    else runs.push({ first: pfn, end: pfn + 1, kind });
  }
  return runs;
}
