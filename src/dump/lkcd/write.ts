/**
 * Writes LKCD version 8, which crash opens with `--kaslr` and `-m phys_base`, or 9, whose header
 * area is as large as the CPUs need. Pages are ascending,
 * none is written twice (crash takes the second for the end of the file), a page that compression
 * does not shrink is stored raw, a zero page is never a raw record of size 0 (libkdumpfile refuses
 * those), and an end record follows the last page.
 */

import { appenderOfKept, type Sink } from '../../bytes/sink.ts';
import { type DumpContent, isCutShort, keptRuns, type WriteSummary } from '../content.ts';
import { ownBlockSize, writeOwnBlock } from '../own-block.ts';
import { type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import { NewUtsname } from '../utsname.ts';
import { archHeaderSize, writeArchHeader } from './arch-header.ts';
import {
  compressionIds,
  dumpMagic,
  HeaderV8,
  HeaderV9Tail,
  headerAreaSize,
  PageFlags,
  PageRecord,
} from './layout.ts';

export interface LkcdOptions {
  /** 8 unless said, and 9 where the CPUs do not fit that: 336 of x86_64 do, 898 of i386. */
  readonly version?: 8 | 9;
  readonly compression: 'none' | 'rle' | 'zlib';
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
}

/** DUMP_LEVEL_KERN, _USED and _ALL: what makedumpfile's bits come closest to. */
const levels: ReadonlyMap<number, number> = new Map([
  [30, 2],
  [16, 4],
]);
const levelAll = 8;

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeLkcd(
  sink: Sink,
  content: DumpContent,
  options: LkcdOptions & PageOptions,
): WriteSummary {
  return writePages(lkcdWriter(sink, content, options), content.image, options);
}

export function lkcdWriter(sink: Sink, content: DumpContent, options: LkcdOptions): PageWriter {
  const { pageSize } = content.image;
  const due = [...keptRuns(content.image)];
  const total = due.reduce((sum, { first, end }) => sum + end - first, 0);
  // A dump that is interrupted has a good header and no end record.
  const area = headerArea(content, options, total);
  sink.write(0, area);
  const records = appenderOfKept(sink, area.length);
  const encodeRecord = recordEncoder();
  const append = (address: number, flags: number, data: Uint8Array): void => {
    records.append(encodeRecord(address, data.length, flags));
    records.append(data);
  };
  return {
    compression: options.compression,
    zeros: 'packed',
    due,
    add(pfn, kind, bytes) {
      if (kind === 'lost') return false;
      append(pfn * pageSize, kind === 'raw' ? PageFlags.raw : PageFlags.compressed, bytes);
      return true;
    },
    finish(counts) {
      // A page that the image promised and did not give makes the dump one that was cut short.
      const isCut = isCutShort(content, counts);
      const endFlags = isCut ? PageFlags.end | PageFlags.truncated : PageFlags.end;
      append(0, endFlags, new Uint8Array(0));
      records.flush();
      if (counts.unreadable > 0) sink.write(0, headerArea(content, options, counts.pages));
      return { bytes: records.offset, ...counts };
    },
  };
}

const recordsInBlock = 1024;

/** For one file. Not by PageRecord.encode, many to one block of memory: this is the inner loop. */
export function recordEncoder(): (address: number, size: number, flags: number) => Uint8Array {
  let view = new DataView(new ArrayBuffer(0));
  let at = 0;
  return (address, size, flags) => {
    if (at === view.byteLength) {
      view = new DataView(new ArrayBuffer(recordsInBlock * PageRecord.size));
      at = 0;
    }
    view.setUint32(at, address % 2 ** 32, true);
    view.setUint32(at + 4, address / 2 ** 32, true);
    view.setUint32(at + 8, size, true);
    view.setUint32(at + 12, flags, true);
    at += PageRecord.size;
    return new Uint8Array(view.buffer, at - PageRecord.size, PageRecord.size);
  };
}

/** Everything before the first record. `numPages`: how many records there are, without the end. */
export function headerArea(
  content: DumpContent,
  { compression, level, ...options }: LkcdOptions,
  numPages: number,
): Uint8Array {
  const version = options.version ?? versionFor(content);
  const headerSize = version === 8 ? HeaderV8.size : HeaderV8.size + HeaderV9Tail.size;
  const areaSize = version === 8 ? headerAreaSize : areaSizeV9(content, headerSize);
  const area = new Uint8Array(areaSize);
  const seconds = Math.floor(content.time);
  HeaderV8.write(area, 0, {
    dh_magic: dumpMagic,
    dh_version: version,
    dh_header_size: headerSize,
    dh_dump_level: levels.get(level) ?? levelAll,
    dh_page_size: content.image.pageSize,
    dh_memory_size: BigInt(content.image.endPfn),
    dh_memory_end: dumpMagic,
    dh_num_pages: numPages,
    // One byte less than the field: crash copies it as a C string.
    dh_panic_string: content.panic?.message.slice(0, 255) ?? '',
    tv_sec: BigInt(seconds),
    tv_usec: BigInt(Math.round((content.time - seconds) * 1e6)),
    utsname: NewUtsname.encode(content.uts),
    dh_current_task: content.panic?.task ?? 0n,
    dh_dump_compress: compressionIds.get(compression)!,
  });
  if (version === 9) HeaderV9Tail.write(area, HeaderV8.size, { dh_dump_buffer_size: areaSize });
  const archEnd = writeArchHeader(area, headerSize, content);
  writeOwnBlock(area, archEnd, content.vmcoreinfo, level);
  return area;
}

function versionFor({ architecture = 'x86_64', cpus }: DumpContent): 8 | 9 {
  return HeaderV8.size + archHeaderSize(architecture, cpus.length) <= headerAreaSize ? 8 : 9;
}

/** The kernels sized the area in units of 64 KiB, or of pages where many CPUs need more. */
function areaSizeV9({ architecture = 'x86_64', cpus, vmcoreinfo, image }: DumpContent, at: number) {
  const needed = at + archHeaderSize(architecture, cpus.length) + ownBlockSize(vmcoreinfo);
  return Math.max(headerAreaSize, Math.ceil(needed / image.pageSize) * image.pageSize);
}
