/**
 * Reads LiME images. Opening walks the ranges' headers, 32 bytes each. A file that was cut, or a
 * header that is damaged, loses what follows; what comes before is read.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Source } from '../../bytes/source.ts';
import { plural } from '../../bytes/text.ts';
import type { OpenContext, OpenedFile } from '../format.ts';
import { factsOfMemory } from '../format.ts';
import { segmentPages } from '../segment-pages.ts';
import { maxRanges, type Segment } from '../segments.ts';
import { LimeHeader, limeMagic, limeVersion } from './layout.ts';

const pageSize = 4096;
/** A machine has some dozens; a file may be all headers. */
const physicalLimit = 2 ** 52;

export async function openLime(source: Source, _context: OpenContext): Promise<OpenedFile> {
  const { segments, problem: flaw } = readRanges(source);
  const problem =
    flaw && `LiME range at offset ${flaw.offset}: ${flaw.message}; what follows is lost`;
  if (segments.length === 0) {
    throw new DumpError('corrupt', problem ?? 'a LiME file without memory', {
      where: { file: source.name, offset: 0 },
    });
  }
  const description = `LiME, ${plural(segments.length, 'range')}`;
  return {
    facts: factsOfMemory('lime', description),
    pages: segmentPages(source, segments, pageSize, problem === undefined ? [] : [problem]),
  };
}

interface Ranges {
  readonly segments: readonly Segment[];
  /** Why the walk did not come to the file's end, and where it ended. */
  readonly problem: { readonly message: string; readonly offset: number } | undefined;
}

export function readRanges(source: Source): Ranges {
  const segments: Segment[] = [];
  for (let at = 0; at < source.size; ) {
    const bytes = source.read(at, LimeHeader.size);
    const message =
      segments.length === maxRanges ? `more than ${maxRanges} ranges` : damageOf(bytes);
    if (message !== undefined) return { segments, problem: { message, offset: at } };
    const { s_addr, e_addr } = LimeHeader.read(bytes);
    const size = e_addr - s_addr + 1;
    const offset = at + LimeHeader.size;
    segments.push({ offset, physical: s_addr, fileSize: size, memorySize: size });
    at = offset + size;
  }
  return { segments, problem: undefined };
}

function damageOf(bytes: Uint8Array): string | undefined {
  if (bytes.length < LimeHeader.size) return 'its header is cut';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0, true);
  if (magic !== limeMagic) return `it starts with 0x${magic.toString(16)}`;
  const version = view.getUint32(4, true);
  if (version !== limeVersion) return `version ${version}`;
  const [first, last] = [view.getBigUint64(8, true), view.getBigUint64(16, true)];
  if (first <= last && last < BigInt(physicalLimit)) return undefined;
  return `addresses 0x${first.toString(16)} to 0x${last.toString(16)}`;
}
