/** `tsdump convert`: one dump, or the parts of one, written in another format. */

import { statSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import { encodeUtf8 } from '../bytes/text.ts';
import {
  countPages,
  levelsOf,
  type Prepared,
  prepare,
  type Written,
  write,
} from '../convert/convert.ts';
import { lossesOf } from '../convert/facts.ts';
import { pipeInto } from '../convert/pipes.ts';
import type { ConvertReport, KeptLoss } from '../convert/report.ts';
import { fileMark, sidecarOf } from '../convert/sidecar.ts';
import { flattened } from '../dump/flattened/write.ts';
import type { PagePool } from '../dump/packed-pages.ts';
import { iomemText } from '../dump/raw/layout.ts';
import { fileSink } from '../host/file-sink.ts';
import { fileSource } from '../host/file-source.ts';
import { convertEnvelope, convertLines } from '../render/convert.ts';
import { type ConvertPlan, planConvert } from './convert-plan.ts';
import { exitStatus } from './exit-status.ts';
import { refuseLackOfSpace } from './free-space.ts';
import type { ConvertFlags, Settings } from './handlers.ts';
import { type OpenedInput, openInput } from './input.ts';
import { inputFlagsOf } from './input-options.ts';
import type { Io } from './io.ts';
import { poolFor } from './jobs.ts';
import { progressLine } from './progress.ts';
import { type CountingPipe, standardPipe } from './standard-pipe.ts';
import { packageVersion } from './version.ts';
import { world } from './world.ts';

/** The result is the exit status. Throws DumpErrors. */
export async function convertFiles(
  files: readonly string[],
  flags: ConvertFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const plan = planConvert(files, flags);
  const isPipe = plan.outputs[0] === '-';
  if (isPipe && settings.json) {
    throw new DumpError('usage', '--json and - do not go together: both are standard output');
  }
  if (isPipe && process.stdout.isTTY) {
    throw new DumpError('usage', 'a dump is not written to a terminal', {
      hint: 'tsdump convert IN - | ...',
    });
  }
  const { dump, pages, remarks } = await openInput(plan.inputs, inputFlagsOf(flags));
  try {
    const report = await convertDump({ dump, pages, remarks }, plan, io);
    print(report, plan, settings, io);
    const isPartial = (report.written?.unreadable ?? 0) > 0 || report.incomplete !== undefined;
    return isPartial && settings.strict ? exitStatus.absent : exitStatus.done;
  } finally {
    dump.close();
  }
}

/** Writes the dump as planned, and what stands beside it. Throws DumpErrors. */
export async function convertDump(
  input: Pick<OpenedInput, 'dump' | 'pages' | 'remarks'>,
  plan: ConvertPlan,
  io: Io,
): Promise<ConvertReport> {
  const pool = await poolFor(input, plan.dryRun ? 1 : plan.jobs);
  try {
    return await convertBy(pool, input, plan, io);
  } finally {
    await pool.close();
  }
}

async function convertBy(
  pool: PagePool,
  { dump, remarks }: Pick<OpenedInput, 'dump' | 'remarks'>,
  plan: ConvertPlan,
  io: Io,
): Promise<ConvertReport> {
  const { writer, compression, level } = plan;
  const label = 'looking for pages of zeros: ';
  const search = io.progress ? progressLine(io, dump.pageSize, label) : undefined;
  const options = { format: writer.name, level, pool, progress: search?.update };
  const prepared = await prepare(dump, options).finally(() => search?.clear());
  const losses = keptLosses(prepared, plan);
  refuseLosses(losses, plan);
  const { image } = prepared.content;
  const report = {
    outputs: plan.outputs,
    source: dump.description,
    format: writer.name,
    compression,
    flattened: plan.flattened,
    level: prepared.level,
    pages: countPages(image),
    pageSize: image.pageSize,
    losses,
    remarks: [...remarks, ...prepared.remarks],
    incomplete: dump.incomplete,
    ranges: plan.ranges,
    sidecar: plan.sidecar,
  };
  if (plan.dryRun) {
    const forecast = { format: writer.name, compression, codecs: world.codecs };
    return { ...report, written: undefined, forecast: await levelsOf(prepared, forecast) };
  }
  const narrow = plan.outputs.flatMap((path) => lackOfSpace(path, plan, report));
  for (const remark of narrow) io.err(`${remark}\n`);
  const written = await writeFiles(prepared, pool, plan, io);
  // What is cut is known when all of it was read.
  return { ...report, written, forecast: [], incomplete: dump.incomplete };
}

function keptLosses(
  { dump, content, level }: Prepared,
  { writer, ranges, sidecar }: ConvertPlan,
): KeptLoss[] {
  return lossesOf(dump, writer, { level, image: content.image }).map((loss) => {
    const beside = loss.fact === 'missing' ? ranges : undefined;
    return { ...loss, keptIn: sidecar ?? beside };
  });
}

function refuseLosses(losses: readonly KeptLoss[], { lossless, writer }: ConvertPlan): void {
  const lost = losses.filter(({ keptIn }) => keptIn === undefined);
  if (!lossless || lost.length === 0) return;
  const list = lost.map(({ what }) => what).join('; ');
  throw new DumpError('mismatch', `${writer.name} has no place for ${list}`, {
    hint: '--sidecar keeps it in a file beside; --to kdump or mkdump has places for nearly all',
  });
}

/** They write every page as it is. */
const withoutHoles = new Set(['mkdump', 'lkcd', 'diskdump-partition']);

function lackOfSpace(
  path: string,
  { writer, compression, outputs, dryRun }: ConvertPlan,
  { pages, pageSize }: Pick<ConvertReport, 'pages' | 'pageSize'>,
): string[] {
  if (path === '-' || compression !== 'none' || outputs.length > 1 || dryRun) return [];
  const most = pages.kept * pageSize;
  const remark = refuseLackOfSpace(path, withoutHoles.has(writer.name) ? most : 0, most);
  return remark === undefined ? [] : [remark];
}

async function writeFiles(
  prepared: Prepared,
  pool: PagePool,
  plan: ConvertPlan,
  io: Io,
): Promise<NonNullable<ConvertReport['written']>> {
  const { overwrite, ranges, sidecar, outputs } = plan;
  const files: Sink[] = [];
  const create = (path: string): Sink => {
    const sink = fileSink(path, { overwrite });
    files.push(sink);
    return sink;
  };
  const progress = io.progress ? progressLine(io, prepared.content.image.pageSize) : undefined;
  let pipe: CountingPipe | undefined;
  try {
    const sinks = outputs.map((path) => {
      if (path === '-') {
        pipe = standardPipe();
        return flattened(pipe);
      }
      return plan.flattened ? flattened(pipeInto(create(path))) : create(path);
    });
    const beside = { ranges: ranges && create(ranges), sidecar: sidecar && create(sidecar) };
    const written = await write(prepared, sinks, {
      format: plan.writer.name,
      compression: plan.compression,
      level: plan.level,
      codecs: world.codecs,
      pool,
      ...(progress === undefined ? {} : { progress: progress.update }),
    });
    for (const sink of sinks) sink.finish();
    if (beside.ranges) finishText(beside.ranges, iomemText(written.ranges ?? []));
    if (beside.sidecar) finishText(beside.sidecar, sidecarText(prepared, plan, written.ranges));
    const sizes = outputs.map((path) => sizeOf(path, pipe));
    const { pages, zeroPages, unreadable } = written.summary;
    return {
      bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
      onDisk: sizes.reduce((sum, { onDisk }) => sum + onDisk, 0),
      ...{ pages, zeroPages, unreadable },
    };
  } finally {
    progress?.clear();
    // Nothing, where the sinks were finished.
    for (const file of files) file.abort();
  }
}

/** Holes of a file take no room. */
function sizeOf(
  path: string,
  pipe: CountingPipe | undefined,
): { readonly bytes: number; readonly onDisk: number } {
  if (path === '-') return { bytes: pipe?.bytes ?? 0, onDisk: 0 };
  const { size, blocks } = statSync(path);
  return { bytes: size, onDisk: Math.min(size, blocks * blockBytes) };
}

/** The unit of st_blocks, whatever the file system's is. */
const blockBytes = 512;

function finishText(sink: Sink, text: string): void {
  sink.write(0, encodeUtf8(text));
  sink.finish();
}

function sidecarText(
  { dump, content, level }: Prepared,
  { outputs }: ConvertPlan,
  ranges: Written['ranges'],
): string {
  const source = fileSource(outputs[0]!);
  try {
    const mark = fileMark(source, world.sha256);
    const { image } = content;
    return `${JSON.stringify(sidecarOf(dump, { mark, image, level, ranges }))}\n`;
  } finally {
    source.close();
  }
}

function print(report: ConvertReport, plan: ConvertPlan, settings: Settings, io: Io): void {
  if (settings.json) {
    const input = plan.inputs.join(' ');
    const origin = { version: packageVersion(), schema: 'convert/1', input };
    io.out(`${JSON.stringify(convertEnvelope(origin, report))}\n`);
    return;
  }
  if (settings.quiet) return;
  const lines = convertLines(report, Math.max(72, io.width ?? 80));
  const say = plan.outputs[0] === '-' ? io.err : io.out;
  say(`${lines.join('\n')}\n`);
}
