/** Inspects a KDUMP file: main and sub header, notes, bitmaps, descriptors. See layout.ts. */

import { readStruct } from '../../bytes/struct.ts';
import { hex16 } from '../../bytes/text.ts';
import { inspectDescribed } from '../described-inspect.ts';
import { type DiskDumpHeader, DiskDumpHeaders, geometryOf, headerMachine } from '../disk-dump.ts';
import type { Depth, Inspector } from '../inspection.ts';
import { maxNotesSize, parseNotes } from '../notes.ts';
import type { Architecture } from '../types.ts';
import { DumpStatus, KdumpSubHeaders, newestVersion, type SubHeader } from './layout.ts';

interface Headers {
  readonly architecture: Architecture;
  readonly main: DiskDumpHeader;
  readonly sub: SubHeader;
}

export function inspectKdump(inspector: Inspector, depth: Depth): void {
  inspector.attempt(() => {
    const { source } = inspector;
    const architecture = headerMachine(source, 0);
    const main = readStruct(source, 0, DiskDumpHeaders[architecture]);
    const sub = readStruct(source, main.block_size, KdumpSubHeaders[architecture]);
    const headers = { architecture, main, sub };
    sayHeaders(inspector, headers);
    checkHeaders(inspector, headers);
    const endPfn = main.header_version >= newestVersion ? sub.max_mapnr_64 : main.max_mapnr;
    const geometry = geometryOf(source, main, {
      ...{ name: 'KDUMP', architecture, endPfn, packingFlags: 0xffffffff },
    });
    const held = main.header_version < 2 || sub.split === 0 ? undefined : partOf(headers);
    const isPart = held !== undefined && held.first <= held.end && held.end <= endPfn;
    inspectDescribed(inspector, isPart ? { ...geometry, held } : geometry, depth);
  });
}

function partOf({ main, sub }: Headers): { first: number; end: number } {
  const isNew = main.header_version >= newestVersion;
  return {
    first: Number(isNew ? sub.start_pfn_64 : sub.start_pfn),
    end: Number(isNew ? sub.end_pfn_64 : sub.end_pfn),
  };
}

function sayHeaders(inspector: Inspector, headers: Headers): void {
  const { main, sub } = headers;
  const version = main.header_version;
  inspector.detail('header version', version);
  const flags = Object.entries(DumpStatus).filter(([, bit]) => (main.status & bit) !== 0);
  const names = flags.map(([name]) => name).join(', ') || 'none';
  inspector.detail('header flags', `0x${main.status.toString(16)} (${names})`);
  inspector.detail('phys_base in the header', `0x${hex16(sub.phys_base)}`);
  inspector.detail('bitmaps', `${main.bitmap_blocks} blocks of ${main.block_size} bytes`);
  if (version >= 2 && sub.split !== 0) {
    const { first, end } = partOf(headers);
    inspector.detail('split part', `pages 0x${first.toString(16)} to 0x${end.toString(16)}`);
  }
  const blobs = [
    ['VMCOREINFO', 3, sub.offset_vmcoreinfo, sub.size_vmcoreinfo],
    ['ELF notes', 4, sub.offset_note, sub.size_note],
    ['list of what was erased', 5, sub.offset_eraseinfo, sub.size_eraseinfo],
  ] as const;
  for (const [name, since, offset, size] of blobs) {
    if (version >= since && size > 0) inspector.detail(name, `${size} bytes at ${offset}`);
  }
}

function checkHeaders(inspector: Inspector, { architecture, main, sub }: Headers): void {
  const { source } = inspector;
  const layout = DiskDumpHeaders[architecture];
  const version = main.header_version;
  if (main.nr_cpus < 1) {
    inspector.add('damage', `the header counts ${main.nr_cpus} CPUs`, layout.offsetOf('nr_cpus'));
  }
  if (version >= newestVersion && sub.max_mapnr_64 % 2 ** 32 !== main.max_mapnr) {
    const message = `max_mapnr is ${main.max_mapnr}, max_mapnr_64 ${sub.max_mapnr_64}`;
    inspector.add('damage', message, layout.offsetOf('max_mapnr'));
  }
  if ((main.status & DumpStatus.incomplete) !== 0) {
    const message = 'the header says incomplete: the writer ran out of space';
    inspector.add('cut', message, layout.offsetOf('status'));
  }
  if (version >= 3) checkBlob(inspector, 'VMCOREINFO', sub.offset_vmcoreinfo, sub.size_vmcoreinfo);
  if (version >= 4) checkBlob(inspector, 'ELF notes', sub.offset_note, sub.size_note);
  if (version >= 4) checkNotes(inspector, sub.offset_note, sub.size_note);
  if (version >= 5) checkBlob(inspector, 'ERASEINFO', sub.offset_eraseinfo, sub.size_eraseinfo);
  const bitmapsEnd = (1 + main.sub_hdr_size + main.bitmap_blocks) * main.block_size;
  if (bitmapsEnd > source.size) {
    inspector.add('cut', `the bitmaps end at ${bitmapsEnd}, the file before`, source.size);
  }
}

function checkNotes(inspector: Inspector, offset: number, size: number): void {
  if (size > maxNotesSize || offset + size > inspector.source.size) return;
  const { problem } = parseNotes(inspector.source.read(offset, size));
  if (problem !== undefined) inspector.add('damage', `ELF notes: ${problem}`, offset);
}

function checkBlob(inspector: Inspector, name: string, offset: number, size: number): void {
  if (size > 0 && offset + size > inspector.source.size) {
    const message = `${name}: ${size} bytes at ${offset} lie behind the end of the file`;
    inspector.add('damage', message, offset);
  }
}
