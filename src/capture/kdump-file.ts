/** A KDUMP file written by a CPU of the machine, or of its host: packing takes that CPU's time. */

import type { Sink } from '../bytes/sink.ts';
import type { DumpContent, WriteSummary } from '../dump/content.ts';
import { writeKdump } from '../dump/kdump/write.ts';
import type { Machine } from '../machine/machine.ts';
import type { CaptureOptions, CaptureTools } from './method.ts';

/** Finishes the sink. Throws `io` where the sink does. */
export function writeKdumpFile(
  machine: Machine,
  sink: Sink,
  content: DumpContent,
  { compression, level }: CaptureOptions,
  tools: CaptureTools,
): WriteSummary {
  const rate = machine.hardware.cpu.compressBytesPerSecond[compression];
  let counted = 0;
  const summary = writeKdump(sink, content, {
    compression: compression === 'rle' ? 'none' : compression,
    // What the input left out is left out of this file as well.
    level: level | (machine.input.level ?? 0),
    codecs: tools.codecs,
    progress: (pages, total) => {
      machine.work((pages - counted) * machine.memory.pageSize, rate, 'compression');
      counted = pages;
      tools.progress?.(pages, total);
    },
  });
  sink.finish();
  return summary;
}
