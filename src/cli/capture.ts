/** `tsdump capture`, `mkdump` and `kexec`: one run of a method, its report, its verdict. */

import { DumpError } from '../bytes/errors.ts';
import { methodNames, methodOf } from '../capture/methods.ts';
import type { Dump } from '../dump/types.ts';
import { fileSink } from '../host/file-sink.ts';
import { fileSource } from '../host/file-source.ts';
import { heedSignals } from '../host/signals.ts';
import { captureLines } from '../render/capture.ts';
import { captureEnvelope } from '../render/envelope.ts';
import type { CaptureReport } from '../trial/report.ts';
import { type CaptureRequest, runCapture } from '../trial/run.ts';
import { type VerdictClass, verdictClasses } from '../trial/verdict-classes.ts';
import { freeName, oneOf, parseCompression, parseLevel } from './capture-options.ts';
import { exitStatus } from './exit-status.ts';
import type { Io } from './io.ts';
import type { CaptureFlags, Settings } from './program.ts';
import { packageVersion } from './version.ts';
import { defaultMachine, openFile, world } from './world.ts';

type Choice = Pick<CaptureRequest, 'method' | 'level' | 'compression'>;

/** The result is the exit status. Throws DumpErrors. */
export async function captureDump(
  options: CaptureFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const method = methodOf(oneOf('--method', options.method, methodNames));
  const expected: VerdictClass = oneOf('--expect', options.expect ?? 'complete', verdictClasses);
  const output = options.output ?? freeName(method.name, method.format);
  if (output === '') throw new DumpError('usage', '--output: the name is empty');
  const input = options.machine ?? defaultMachine;
  const choice: Choice = {
    method: method.name,
    ...(options.level === undefined ? {} : { level: parseLevel(options.level) }),
    ...(options.compress === undefined
      ? {}
      : { compression: parseCompression(options.compress, method.compressions) }),
  };
  const overwrite = options.force === true;
  const dump = await openFile(input);
  let report: CaptureReport;
  try {
    report = await run(dump, choice, { output, overwrite }, io);
  } finally {
    dump.close();
  }
  print(report, { input, output, settings, isDefault: options.machine === undefined }, io);
  return report.verdict.class === expected ? exitStatus.done : exitStatus.no;
}

async function run(
  dump: Dump,
  choice: Choice,
  { output, overwrite }: { readonly output: string; readonly overwrite: boolean },
  io: Io,
): Promise<CaptureReport> {
  const { codecs, sha256 } = world;
  const sink = fileSink(output, { overwrite });
  const progress = io.progress ? progressLine(io) : undefined;
  try {
    return await runCapture({
      ...choice,
      dump,
      codecs,
      machine: { sha256 },
      target: {
        sink,
        async open() {
          await heedSignals();
          return fileSource(output);
        },
      },
      ...(progress === undefined ? {} : { progress: progress.update }),
    });
  } finally {
    progress?.clear();
    // Nothing, where the sink was finished.
    sink.abort();
  }
}

/** One line of progress in place, drawn when its percentage changes. */
function progressLine(io: Io): { update(done: number, total: number): void; clear(): void } {
  let shown = -1;
  return {
    update(done, total) {
      const percent = Math.floor((done * 100) / Math.max(1, total));
      if (percent === shown) return;
      shown = percent;
      io.err(`\r${String(percent).padStart(3)} % of ${total} pages`);
    },
    clear() {
      if (shown >= 0) io.err('\r\u001b[K');
    },
  };
}

interface Shown {
  readonly input: string;
  readonly output: string;
  readonly settings: Settings;
  readonly isDefault: boolean;
}

function print(report: CaptureReport, shown: Shown, io: Io): void {
  const { input, settings } = shown;
  const output = report.saved === undefined ? undefined : shown.output;
  if (settings.json) {
    const origin = { version: packageVersion(), schema: 'capture/1', input };
    io.out(`${JSON.stringify(captureEnvelope(origin, report, output))}\n`);
    return;
  }
  const lines = captureLines({
    report,
    machine: shown.isDefault ? 'the default machine' : input,
    output,
    setup: settings.verbose ? 'every' : 'count',
    colour: io.colour ? 'colour' : 'plain',
  });
  io.out(settings.quiet ? `${lines.at(-1)}\n` : `${lines.join('\n')}\n`);
}
