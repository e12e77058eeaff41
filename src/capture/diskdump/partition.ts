/**
 * The dump on one partition, step by step; where a step fails, all of them on the next partition
 * that was registered. A stage brings the dump as far as its own step.
 */

import { DumpError } from '../../bytes/errors.ts';
import { latin1, latin1Bytes } from '../../bytes/text.ts';
import { isFormatted, swapMark } from '../../dump/diskdump/layout.ts';
import type { Machine } from '../../machine/machine.ts';
import { MachineStop } from '../../machine/stop.ts';
import { type CaptureTools, done, failed, type Stage, type StageResult } from '../method.ts';
import { PolledDisk, type Target } from './driver.ts';
import { writeBitmaps, writeEnd, writeHeaders, writePages } from './dump.ts';
import { giveUpDisks } from './last-resort.ts';
import { factsOf, guarded, isIntact } from './panic.ts';
import { canBeRisk, isEarly, releaseOf } from './release.ts';
import { DumpPartition } from './resident.ts';
import { problemOf } from './scsi.ts';
import type { DiskdumpState } from './state.ts';

const blockSize = 4096;
/** Release 1.0 reads a chunk of so many blocks in so many, and the last one. */
const chunkBlocks = 4;
const sampledBlocks = 1024;
/** More than this many registered partitions are an overwritten number. */
const maxPartitions = 64;

interface Step {
  readonly name: string;
  run(machine: Machine, state: DiskdumpState, target: Target, tools: CaptureTools): StageResult;
}

const steps: readonly Step[] = [
  { name: 'sanity check', run: sanityCheck },
  { name: 'adapter reset', run: quiesce },
  { name: 'partition signatures', run: verify },
  { name: 'headers', run: writeHeaders },
  { name: 'bitmaps', run: writeBitmaps },
  { name: 'pages', run: writePages },
  { name: 'end', run: writeEnd },
];

export const partitionStages: readonly Stage<DiskdumpState>[] = steps.map(({ name }, last) => ({
  name,
  run: guarded((machine, state, tools) => bringTo(last, machine, state, tools)),
}));

function bringTo(
  last: number,
  machine: Machine,
  state: DiskdumpState,
  tools: CaptureTools,
): StageResult {
  if (state.fallback !== undefined) return { ...done, remarks: ['skipped: no partition is left'] };
  const remarks: string[] = [];
  let retries = 0;
  let result: StageResult = done;
  while (state.step <= last) {
    const target = targetOf(machine, state);
    if (target === undefined) {
      if (startsOverWithRisks(state)) continue;
      const why = remarks.pop() ?? state.refusal ?? 'no partition is registered';
      const end = giveUpDisks(state, why);
      return { ...end, remarks: [...remarks, ...(end.remarks ?? [])] };
    }
    result = orRefusal(() => steps[state.step]!.run(machine, state, target, tools));
    remarks.push(...(result.remarks ?? []));
    if (result.result === 'ok') {
      state.step++;
      continue;
    }
    const { name } = target.registered;
    remarks.push(result.cause.startsWith(name) ? result.cause : `${name}: ${result.cause}`);
    retries++;
    if (state.step > 0 && isEarly(state.options)) state.pass = 'over';
    state.partition = state.pass === 'over' ? state.registered.length : state.partition + 1;
    state.step = 0;
  }
  return { ...result, remarks, ...(retries === 0 ? {} : { retries }) };
}

/** A second look at all of them, where none was beyond doubt. */
function startsOverWithRisks(state: DiskdumpState): boolean {
  if (!canBeRisk(state.options) || state.pass !== 'strict' || state.registered.length === 0) {
    return false;
  }
  state.pass = 'risks';
  state.partition = 0;
  return true;
}

/** What a driver reports ends the step, not the dump. */
function orRefusal(body: () => StageResult): StageResult {
  try {
    return body();
  } catch (error) {
    if (error instanceof DumpError && error.code === 'io') return failed(error.message, 'disk');
    throw error;
  }
}

/** The next registered partition; undefined where none is left. */
function targetOf(machine: Machine, state: DiskdumpState): Target | undefined {
  const { partitions, list } = factsOf(machine, state.resident.diskdump);
  const registered = state.registered[state.partition];
  if (state.partition >= Math.min(partitions, maxPartitions) || registered === undefined) {
    return undefined;
  }
  const at = list + BigInt(state.partition * DumpPartition.size);
  const { device, start, size } = DumpPartition.read(
    machine.panicCpu.memory.read(at, DumpPartition.size),
  );
  if (device !== registered.device) {
    const cause = `${registered.name} leads to what is no SCSI device: its code is anything`;
    throw new MachineStop('wild jump', cause, 'list of dump partitions');
  }
  const disk = new PolledDisk(machine, registered.disk, registered.name);
  return { registered, disk, start, size };
}

function sanityCheck(machine: Machine, state: DiskdumpState, { registered }: Target): StageResult {
  machine.panicCpu.execute('scsi_dump_sanity_check');
  if (!isIntact(machine, state.resident.scsiDump)) {
    return failed('checksum error: the module scsi_dump may be compromised', 'module scsi_dump');
  }
  const problem = problemOf(machine, registered);
  if (problem === undefined) return done;
  if (!problem.isRisk || state.pass === 'strict') return failed(problem.text, registered.name);
  return { ...done, remarks: [`${registered.name}: ${problem.text}, a risk that is taken`] };
}

function quiesce(machine: Machine, state: DiskdumpState, target: Target): StageResult {
  const { disk, registered } = target;
  disk.execute();
  const known = state.resets.find((one) => one.disk === registered.disk);
  if (known !== undefined) {
    return known.problem === undefined ? done : failed(known.problem, registered.name);
  }
  // Whoever holds it is stopped.
  const held = problemOf(machine, registered);
  if (held?.isRisk === true) {
    machine.clock.hang(`${held.text}: the reset of the adapter waits for it`, registered.name);
  }
  const result = orRefusal(() => {
    disk.quiesce();
    return done;
  });
  const problem = result.result === 'failed' ? result.cause : undefined;
  state.resets.push({ disk: registered.disk, problem });
  return result;
}

/** A partition that nobody formatted for dumps may be somebody's file system. */
function verify(_: Machine, { options }: DiskdumpState, target: Target): StageResult {
  const { disk, start, size, registered } = target;
  disk.execute();
  const blocks = Math.floor(size / blockSize);
  const [first] = chunksOf(blocks, 'sampled');
  const front = disk.read(start, (first?.count ?? 0) * blockSize);
  if (!isEarly(options) && isSwap(front))
    return { ...done, remarks: [`${registered.name} is a swap area`] };
  const release = releaseOf(options.generation);
  for (const chunk of chunksOf(blocks, release === '2004-05' ? 'all' : 'sampled')) {
    const [offset, length] = [start + chunk.block * blockSize, chunk.count * blockSize];
    // The first release looks at all of it in every run.
    if (disk.readsUntouched(`diskdump ${release}`, start, offset, length)) continue;
    const bytes = disk.read(offset, length);
    for (let index = 0; index < chunk.count; index++) {
      const block = bytes.subarray(index * blockSize, (index + 1) * blockSize);
      if (isFormatted(block, chunk.block + index, release)) continue;
      const cause = `block ${chunk.block + index} has no diskdump signature: it is left alone`;
      return failed(cause, registered.name);
    }
  }
  return { ...done, bytes: size };
}

function isSwap(front: Uint8Array): boolean {
  const { offset, text } = swapMark;
  return latin1(front.subarray(offset, offset + latin1Bytes(text).length)) === text;
}

/** The chunks that are read of so many blocks: all of them, or samples and the last one. */
function* chunksOf(
  blocks: number,
  which: 'all' | 'sampled',
): Generator<{ readonly block: number; readonly count: number }> {
  const distance = which === 'all' ? chunkBlocks : sampledBlocks;
  for (let block = 0; block < blocks; block += distance) {
    yield { block, count: Math.min(chunkBlocks, blocks - block) };
  }
  if (which === 'all' || blocks < chunkBlocks) return;
  yield { block: blocks - chunkBlocks, count: chunkBlocks };
}
