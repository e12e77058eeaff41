/** `tsdump check FILE...`: how whole a dump is; the exit status is the answer. */

import { storedPages } from '../check/census.ts';
import { type CheckReport, checkDump } from '../check/check.ts';
import { type CrossCheck, crossChecked } from '../check/cross-check.ts';
import type { Codecs } from '../codec/types.ts';
import { loadZstdWitness } from '../codec/zstd.ts';
import { openDump, openSplit } from '../dump/open.ts';
import type { Dump } from '../dump/types.ts';
import { fileSource } from '../host/file-source.ts';
import { checkEnvelope, checkLines, isGood, verdictLine } from '../render/check.ts';
import { pageMapSvg } from '../render/picture/page-map-svg.ts';
import { forEachInput, type InputGroup, inspected } from './dump-inputs.ts';
import { exitStatus } from './exit-status.ts';
import { refuseInput } from './file-identity.ts';
import type { CheckRequest, Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { rateLine } from './rate-line.ts';
import { textOutput } from './text-output.ts';
import { packageVersion } from './version.ts';
import { world } from './world.ts';

const schema = 'check/1';

/** The result is the exit status: 0 for dumps that are whole or filtered only, 1 for others. */
export async function checkFiles(
  request: CheckRequest,
  settings: Settings,
  io: Io,
): Promise<number> {
  const { files, input, svg } = request;
  if (svg !== undefined && svg !== '-') for (const file of files) refuseInput(svg, file);
  let count = 0;
  return forEachInput({ paths: files, flags: input, schema, settings, io }, async (opened) => {
    const picture = svg === undefined ? undefined : numbered(svg, count);
    const report = await reportOf(opened, request, io);
    if (picture !== undefined) drawn(report, opened, picture, request, io);
    if (svg !== '-') print(report, opened.name, count, settings, io);
    count++;
    return isGood(report.verdict.name) ? exitStatus.done : exitStatus.no;
  });
}

async function reportOf(opened: InputGroup, request: CheckRequest, io: Io): Promise<CheckReport> {
  const { dump } = opened;
  const isQuick = request.quick === true;
  const inspection = await inspected(opened, 'all');
  const crossCheck = isQuick ? undefined : await crossCheckOf(opened);
  const line = io.progress && !isQuick ? rateLine(io, storedPages(dump), dump.pageSize) : undefined;
  try {
    return checkDump(dump, {
      depth: isQuick ? 'index' : 'decode',
      inspection,
      crossCheck,
      ...(line === undefined ? {} : { progress: line.update }),
    });
  } finally {
    line?.clear();
  }
}

/** One page of so many is read by the second decoder: it is half as fast as the first. */
const sampleStep = 64;

async function crossCheckOf(opened: InputGroup): Promise<CrossCheck | undefined> {
  if (!/\bzstd\b/.test(opened.dump.description)) return undefined;
  const witness = await loadZstdWitness();
  const codecs: Codecs = {
    get: (name) => (name === 'zstd' ? witness : world.codecs.get(name)),
    prepare: async (name) => (name === 'zstd' ? undefined : world.codecs.prepare(name)),
  };
  const second = await secondly(opened, codecs);
  try {
    return crossChecked(opened.dump, second, sampleStep);
  } finally {
    second.close();
  }
}

async function secondly({ paths }: InputGroup, codecs: Codecs): Promise<Dump> {
  const [path] = paths;
  if (paths.length === 1) return openDump(fileSource(path!), { codecs });
  return openSplit(
    paths.map((each) => fileSource(each)),
    { codecs },
  );
}

/** `map.svg`, then `map-2.svg`. */
function numbered(path: string, count: number): string {
  return path === '-' || count === 0 ? path : path.replace(/(\.[^./]*)?$/, `-${count + 1}$1`);
}

function drawn(
  report: CheckReport,
  { name }: InputGroup,
  path: string,
  { force }: CheckRequest,
  io: Io,
): void {
  const output = textOutput(path, force === true ? 'overwrite' : 'keep', io);
  try {
    const { verdict, census } = report;
    const isFine = isGood(verdict.name);
    output.add(pageMapSvg({ ...report, runs: census.runs, input: name, isGood: isFine }));
    output.finish();
  } finally {
    output.abort();
  }
}

function print(
  report: CheckReport,
  input: string,
  count: number,
  { json, quiet, verbose }: Settings,
  io: Io,
): void {
  if (json) {
    const origin = { version: packageVersion(), schema, input };
    io.out(`${JSON.stringify(checkEnvelope(origin, report))}\n`);
    return;
  }
  const lines = quiet
    ? [verdictLine(input, report)]
    : checkLines(input, report, {
        width: io.width ?? 80,
        colour: io.colour ? 'colour' : 'plain',
        detail: verbose ? 'all' : 'main',
        picture: verbose || io.width !== undefined ? 'with' : 'without',
      });
  io.out(`${count > 0 && !quiet ? '\n' : ''}${lines.join('\n')}\n`);
}
