/** Inspects a LiME image: its ranges one after another. */

import { humanSize, plural } from '../../bytes/text.ts';
import type { Depth, Inspector } from '../inspection.ts';
import type { Segment } from '../segments.ts';
import { LimeHeader } from './layout.ts';
import { readRanges } from './read.ts';

export function inspectLime(inspector: Inspector, _depth: Depth): void {
  inspector.attempt(() => {
    const { source } = inspector;
    const { segments, problem } = readRanges(source);
    const bytes = segments.reduce((sum, { fileSize }) => sum + fileSize, 0);
    inspector.detail('ranges', `${segments.length}, ${humanSize(bytes)} of memory`);
    checkOrder(inspector, segments);
    const last = segments.at(-1);
    if (last !== undefined && last.offset + last.fileSize > source.size) {
      const message = `the last range has ${last.fileSize} bytes at ${last.offset}`;
      inspector.add('cut', `${message}: the file ends before`, source.size);
    }
    if (problem === undefined) return;
    const header = source.read(problem.offset, LimeHeader.size);
    // Zeros: a file with room for more than its writer came to write.
    const isCut = header.length < LimeHeader.size || header.every((byte) => byte === 0);
    const message = `the header of a range: ${problem.message}; what follows is lost`;
    inspector.add(isCut ? 'cut' : 'damage', message, problem.offset);
  });
}

/** LiME walks the kernel's list of RAM, which ascends and has no byte twice. */
function checkOrder(inspector: Inspector, segments: readonly Segment[]): void {
  let end = 0;
  let overlapping = 0;
  for (const { physical, fileSize, offset } of segments) {
    if (physical < end && overlapping++ === 0) {
      const message = 'a range that is not above those before it';
      inspector.add('remark', message, offset - LimeHeader.size);
    }
    end = Math.max(end, physical + fileSize);
  }
  if (overlapping > 1) inspector.add('remark', `${plural(overlapping, 'range')} like that`);
}
