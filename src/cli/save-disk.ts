/** `tsdump save`: what the system does after the reboot, with the disks that a capture kept. */

import { run as report } from '../analyze/report.ts';
import { DumpError } from '../bytes/errors.ts';
import { catalogue, type MethodDescription } from '../capture/catalogue.ts';
import type { AfterReboot, Saved } from '../capture/method.ts';
import { methodOf } from '../capture/methods.ts';
import { openDump } from '../dump/open.ts';
import { fileSink } from '../host/file-sink.ts';
import { fileSource } from '../host/file-source.ts';
import { openKernel } from '../linux/kernel.ts';
import { DiskImage, filesOf } from '../machine/disk-image.ts';
import { OutsideFiles } from '../machine/outside.ts';
import { type SaveReport, saveEnvelope, saveLines } from '../render/save.ts';
import { freeName } from './capture-options.ts';
import { exitStatus } from './exit-status.ts';
import { refuseInput } from './file-identity.ts';
import type { SaveFlags, Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { textOutput } from './text-output.ts';
import { packageVersion } from './version.ts';
import { world } from './world.ts';

/** The result is the exit status. Throws DumpErrors; `absent` where the disks hold no dump. */
export async function saveDisks(
  paths: readonly string[],
  flags: SaveFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  for (const path of paths) if (flags.output !== undefined) refuseInput(flags.output, path);
  const sources = paths.map((path) => fileSource(path));
  try {
    const { method, output, saved } = await saveAny(afterReboot(sources), flags);
    const text = `${output}.report`;
    const problem = await writeReport(
      output,
      text,
      flags.force === true ? 'overwrite' : 'keep',
      io,
    );
    const told: SaveReport = {
      inputs: paths,
      method: method.name,
      format: method.format,
      output,
      bytes: saved.bytes,
      remarks: saved.remarks,
      report: problem === undefined ? text : undefined,
      problem,
    };
    if (settings.json) {
      const origin = { version: packageVersion(), schema: 'save/1', input: paths.join(' ') };
      io.out(`${JSON.stringify(saveEnvelope(origin, told))}\n`);
    } else if (!settings.quiet) {
      io.out(`${saveLines(told).join('\n')}\n`);
    }
    const isPartial = saved.remarks.length > 0 || problem !== undefined;
    return settings.strict && isPartial ? exitStatus.absent : exitStatus.done;
  } finally {
    for (const source of sources) source.close();
  }
}

function afterReboot(sources: readonly ReturnType<typeof fileSource>[]): AfterReboot {
  const disks = sources.map((source) => new DiskImage(source));
  const [first] = disks;
  if (first === undefined) throw new DumpError('usage', 'no image of a disk was named');
  const disk =
    disks.find(({ partitions }) => partitions.some(({ use }) => use === 'files')) ?? first;
  return { disks, disk, files: filesOf(disk), outside: new OutsideFiles() };
}

interface SavedBy {
  readonly method: MethodDescription;
  readonly output: string;
  readonly saved: Saved;
}

/** By whichever method left something. */
async function saveAny(after: AfterReboot, flags: SaveFlags): Promise<SavedBy> {
  for (const method of catalogue) {
    const [compression] = method.compressions;
    await world.codecs.prepare(compression);
    const output = flags.output ?? freeName(method.name, method.format);
    const sink = fileSink(output, { overwrite: flags.force === true });
    try {
      const options = { level: 0, compression, generation: method.generations[0].name };
      const saved = methodOf(method.name).save(after, sink, options, { codecs: world.codecs });
      if (saved === undefined) continue;
      sink.finish();
      return { method, output, saved };
    } finally {
      // Nothing, where the sink was finished.
      sink.abort();
    }
  }
  throw new DumpError('absent', 'no method left a dump on the disk', {
    hint: 'the report of the capture says where it ended',
  });
}

/** What `lcrash -r` wrote at boot. The result is why there is none. */
async function writeReport(
  output: string,
  path: string,
  existing: 'overwrite' | 'keep',
  io: Io,
): Promise<string | undefined> {
  const dump = await openDump(fileSource(output), { codecs: world.codecs });
  const file = textOutput(path, existing, io);
  try {
    const answer = report(openKernel(dump), [], {}, { input: output });
    for (const line of answer.text()) file.add(`${line}\n`);
    file.finish();
    return undefined;
  } catch (error) {
    if (!(error instanceof DumpError) || error.code === 'io') throw error;
    return error.message;
  } finally {
    file.abort();
    dump.close();
  }
}
