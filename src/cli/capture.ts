/** `tsdump capture`, `mkdump` and `kexec`: one run of a method, its report, its verdict. */

import { fileSink } from '../host/file-sink.ts';
import { fileSource } from '../host/file-source.ts';
import { heedSignals } from '../host/signals.ts';
import { udpTransport } from '../host/udp-transport.ts';
import type { TraceEvent } from '../machine/trace.ts';
import { type CaptureSubject, captureLines } from '../render/capture.ts';
import { captureEnvelope } from '../render/envelope.ts';
import { captureHtml } from '../render/picture/html.ts';
import { captureSvg } from '../render/picture/svg.ts';
import { runCapture } from '../trial/capture.ts';
import type { CaptureReport } from '../trial/report.ts';
import type { Scenario } from '../trial/scenario.ts';
import { type CapturePlan, planCapture } from './capture-plan.ts';
import { exitStatus } from './exit-status.ts';
import { refuseInput } from './file-identity.ts';
import type { CaptureFlags, Settings } from './handlers.ts';
import { foreignImage, type Image, openImage } from './images.ts';
import { openInput } from './input.ts';
import type { InputFlags } from './input-options.ts';
import type { Io } from './io.ts';
import { keepingDisks } from './keep-disk.ts';
import { progressLine } from './progress.ts';
import { type TextOutput, textOutput } from './text-output.ts';
import { packageVersion } from './version.ts';
import { world } from './world.ts';

/** The result is the exit status. Throws DumpErrors. */
export async function captureDump(
  flags: CaptureFlags,
  command: string,
  settings: Settings,
  io: Io,
): Promise<number> {
  const plan = planCapture(flags, command);
  const { input } = plan;
  if ('file' in input) {
    for (const path of [plan.output, plan.trace, plan.picture, plan.keepDisk]) {
      if (path !== undefined) refuseInput(path, input.file);
    }
  }
  const image =
    'file' in input ? await openForeign(input, settings, io) : await openImage(input.image);
  const files: TextOutput[] = [];
  const beside = (path: string | undefined): TextOutput | undefined => {
    if (path === undefined) return undefined;
    const file = textOutput(path, plan.overwrite ? 'overwrite' : 'keep', io);
    files.push(file);
    return file;
  };
  try {
    const trace = beside(plan.trace);
    const picture = beside(plan.picture);
    const report = await run(image, plan, trace, io);
    picture?.add(pictureOf(report, plan));
    for (const file of files) file.finish();
    print(report, plan, settings, io);
    return report.verdict.class === plan.expected ? exitStatus.done : exitStatus.no;
  } finally {
    for (const file of files) file.abort();
    image.dump.close();
  }
}

async function openForeign(
  { file, flags }: { readonly file: string; readonly flags: InputFlags },
  { quiet }: Settings,
  io: Io,
): Promise<Image> {
  const { dump, remarks } = await openInput([file], flags);
  if (!quiet) for (const remark of remarks) io.err(`${remark}\n`);
  return foreignImage(dump);
}

async function run(
  { dump, options }: Image,
  plan: CapturePlan,
  trace: TextOutput | undefined,
  io: Io,
): Promise<CaptureReport> {
  const { codecs, sha256 } = world;
  const { choice, trigger, faults, seed, hardware, output, overwrite, keepDisk } = plan;
  const sink = fileSink(output, { overwrite });
  const progress = io.progress ? progressLine(io, dump.pageSize) : undefined;
  const transport = plan.server && udpTransport(plan.server);
  try {
    return await runCapture({
      ...choice,
      ...{ dump, codecs, faults, seed },
      machine: { sha256, ...options, ...(hardware === undefined ? {} : { hardware }) },
      target: {
        sink,
        ...(keepDisk === undefined
          ? {}
          : { keep: keepingDisks(keepDisk, overwrite ? 'overwrite' : 'keep') }),
        async open() {
          await heedSignals();
          return fileSource(output);
        },
      },
      ...(trigger === undefined ? {} : { trigger }),
      ...(transport === undefined ? {} : { transport }),
      ...(progress === undefined ? {} : { progress: progress.update }),
      ...(trace === undefined
        ? {}
        : { trace: (event: TraceEvent) => trace.add(`${JSON.stringify(event)}\n`) }),
    });
  } finally {
    progress?.clear();
    await transport?.close();
    // Nothing, where the sink was finished.
    sink.abort();
  }
}

function print(report: CaptureReport, plan: CapturePlan, settings: Settings, io: Io): void {
  const subject = subjectOf(report, plan);
  const { scenario, again, output } = subject;
  if (settings.json) {
    const origin = { version: packageVersion(), schema: 'capture/1', input: plan.inputName };
    const document = captureEnvelope(origin, report, output);
    const data = { scenario: scenario?.name ?? null, again, ...(document.data as object) };
    io.out(`${JSON.stringify({ ...document, data })}\n`);
    return;
  }
  const lines = captureLines({
    ...subject,
    detail: settings.verbose ? 'all' : 'main',
    introduction: plan.isBare ? 'with' : 'without',
    pictures: settings.verbose || io.width !== undefined ? 'with' : 'without',
    colour: io.colour ? 'colour' : 'plain',
    ...(io.width === undefined ? {} : { width: io.width }),
  });
  io.out(settings.quiet ? `${lines.at(-1)}\n` : `${lines.join('\n')}\n`);
}

function pictureOf(report: CaptureReport, plan: CapturePlan): string {
  const subject = subjectOf(report, plan);
  return plan.picture?.endsWith('.html') === true ? captureHtml(subject) : captureSvg(subject);
}

function subjectOf(report: CaptureReport, plan: CapturePlan): CaptureSubject {
  const { input, inputName, scenario, again, output, server } = plan;
  return {
    report,
    machine: 'file' in input ? inputName : `the image ${inputName}`,
    output: report.saved === undefined || server !== undefined ? undefined : output,
    again,
    ...(scenario === undefined ? {} : { scenario: 'file' in input ? onFile(scenario) : scenario }),
  };
}

/** A scenario's title tells of its own image; of another machine only its faults are true. */
function onFile({ name }: Scenario): { readonly name: string; readonly title: string } {
  return { name, title: 'its faults, on another machine' };
}
