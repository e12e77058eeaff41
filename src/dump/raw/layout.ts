/**
 * Raw memory: no header, no magic. Byte n of the file is byte n of physical memory ("padded"), or
 * ranges stand one after another and something else says which ("concatenated"). What is in no
 * range cannot be told from zeros without that list, which is kept beside the file in the form of
 * /proc/iomem: `00001000-0009ffff : System RAM`, both ends included, in hexadecimal.
 *
 * Source: LiME doc/README.md (formats `padded` and `raw`); kernel/resource.c, r_show().
 */

import { DumpError } from '../../bytes/errors.ts';
import { maxRanges } from '../segments.ts';
import type { MemoryRange } from '../types.ts';

const ramName = 'System RAM';

/** The list as text, a line for each range. */
export function iomemText(ranges: readonly MemoryRange[]): string {
  const hex = (address: bigint): string => address.toString(16).padStart(8, '0');
  const lines = ranges.map(({ start, end }) => `${hex(start)}-${hex(end - 1n)} : ${ramName}\n`);
  return lines.join('');
}

/**
 * The RAM in /proc/iomem's text, ascending; what lies inside RAM (indented: kernel code and data)
 * and what is no RAM is passed over. DumpError `corrupt`, with the line, where that makes no sense.
 */
export function parseIomem(text: string, name: string): MemoryRange[] {
  const ranges: MemoryRange[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    // The end is not for the pattern: one that skips blanks takes for ever where they go on and on.
    const match = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) : /.exec(line);
    if (match === null || line.slice(match[0].length).trimEnd() !== ramName) continue;
    const start = BigInt(`0x${match[1]}`);
    const end = BigInt(`0x${match[2]}`) + 1n;
    const refuse = (why: string, hint?: string): DumpError =>
      new DumpError('corrupt', `line ${index + 1}: ${why}`, { where: { file: name }, hint });
    // To anybody but root the kernel shows zeros.
    if (end === 1n) throw refuse('addresses are hidden', 'save /proc/iomem as root');
    const last = ranges.at(-1);
    if (end <= start || (last !== undefined && start < last.end)) {
      throw refuse(`range ${match[1]}-${match[2]} is not above those before it`);
    }
    if (ranges.length === maxRanges) throw refuse(`more than ${maxRanges} ranges`);
    ranges.push({ start, end });
  }
  if (ranges.length > 0) return ranges;
  throw new DumpError('corrupt', `no range of ${ramName}`, { where: { file: name } });
}
