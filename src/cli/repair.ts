/** `tsdump repair`: says what is wrong with a dump, and with -o writes it anew without that. */

import { existsSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { diagnose, type Finding } from '../convert/diagnose.ts';
import { joinRegions, type Region } from '../convert/regions.ts';
import { openDump } from '../dump/open.ts';
import type { Dump } from '../dump/types.ts';
import { fileSource } from '../host/file-source.ts';
import { type RepairReport, repairEnvelope, repairLines } from '../render/repair.ts';
import { convertDump } from './convert.ts';
import { planConvert } from './convert-plan.ts';
import { exitStatus } from './exit-status.ts';
import type { RepairFlags, Settings } from './handlers.ts';
import { type OpenedInput, openInput } from './input.ts';
import { inputFlagsOf } from './input-options.ts';
import type { Io } from './io.ts';
import { packageVersion } from './version.ts';
import { world } from './world.ts';

/** The result is the exit status. Throws DumpErrors. */
export async function repairFiles(
  files: readonly string[],
  flags: RepairFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const { dump, pages, remarks, paths } = await openAll(files, flags);
  try {
    const { findings, mended } = diagnose(dump);
    const all = [...joinedFindings(paths), ...findings];
    const { output } = flags;
    const report: RepairReport = {
      inputs: files,
      source: dump.description,
      findings: all,
      remarks,
      written:
        output === undefined || all.length === 0
          ? undefined
          : await convertDump(
              { dump: mended, pages, remarks: [] },
              planOf(mended, paths, output, flags),
              io,
            ),
    };
    print(report, settings, io);
    const isLeft = all.some(({ mend }) => output === undefined || mend === undefined);
    return isLeft ? exitStatus.no : exitStatus.done;
  } finally {
    dump.close();
  }
}

interface OpenedFiles extends Pick<OpenedInput, 'dump' | 'pages' | 'remarks'> {
  readonly paths: readonly string[];
}

/** `file@0x80000000`: a region of memory. */
const regionName = /^(.+)@(0x[0-9a-f]{1,16})$/i;

async function openAll(files: readonly string[], flags: RepairFlags): Promise<OpenedFiles> {
  const named = files.map((file) => (existsSync(file) ? null : regionName.exec(file)));
  if (named.every((match) => match === null)) {
    return { ...(await openInput(files, inputFlagsOf(flags))), paths: files };
  }
  const regions: Region[] = [];
  const paths: string[] = [];
  try {
    for (const [index, match] of named.entries()) {
      if (match === null) {
        throw new DumpError('usage', 'a region of memory without its address', {
          where: { file: files[index] },
          hint: 'FILE@0xADDRESS, the physical address of its first byte',
        });
      }
      const [, path = '', start = ''] = match;
      regions.push({ source: fileSource(path), start: BigInt(start) });
      paths.push(path);
    }
    const { source, ranges } = joinRegions(regions);
    const dump = await openDump(source, { ...world, format: 'raw', ranges });
    return { dump, paths, pages: undefined, remarks: [] };
  } catch (error) {
    for (const { source } of regions) source.close();
    throw error;
  }
}

function joinedFindings(paths: readonly string[]): Finding[] {
  if (paths.length < 2) return [];
  const problem = `the dump is in ${plural(paths.length, 'file')}`;
  return [{ kind: 'joined', problem, mend: 'they are joined into one' }];
}

function planOf(
  dump: Dump,
  paths: readonly string[],
  output: string,
  { to, compress, force }: RepairFlags,
): ReturnType<typeof planConvert> {
  return planConvert([...paths, output], {
    to: to ?? formatOf(dump),
    ...(compress === undefined ? {} : { compress }),
    ...(force === undefined ? {} : { force }),
  });
}

/** What it was, where that has a place for what is mended. */
function formatOf({ format, architecture }: Dump): string {
  if (format === 'lime' || format === 'raw') return 'kdump';
  const isWritten = architecture === 'x86_64' || !['elf', 'kdump'].includes(format);
  return isWritten ? format : 'lkcd';
}

function print(report: RepairReport, settings: Settings, io: Io): void {
  if (settings.json) {
    const input = report.inputs.join(' ');
    const origin = { version: packageVersion(), schema: 'repair/1', input };
    io.out(`${JSON.stringify(repairEnvelope(origin, report))}\n`);
    return;
  }
  if (settings.quiet) return;
  io.out(`${repairLines(report, Math.max(72, io.width ?? 80)).join('\n')}\n`);
}
