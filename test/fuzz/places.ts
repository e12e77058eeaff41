/**
 * Where the numbers of a file are, by the declared layouts of its format: most damage goes there.
 * Found by walking the undamaged file from structure to structure.
 */

import { attempt } from '../../src/bytes/errors.ts';
import { memorySource } from '../../src/bytes/source.ts';
import type { Struct } from '../../src/bytes/struct.ts';
import { DiskDumpHeaders, headerMachine, PageDescriptor } from '../../src/dump/disk-dump.ts';
import { StreamPage } from '../../src/dump/diskdump/layout.ts';
import { Elf32Header, Elf32Phdr, Elf64Header, Elf64Phdr } from '../../src/dump/elf/layout.ts';
import { FlatHeader, FlatRecord, headerSize } from '../../src/dump/flattened/layout.ts';
import { KdumpSubHeaders } from '../../src/dump/kdump/layout.ts';
import { LimeHeader } from '../../src/dump/lime/layout.ts';
import {
  ArchHeaders,
  ArchHeadersV2,
  HeaderV8,
  HeaderV9Tail,
  headerAreaSize,
  oldHeadersOf,
  PageRecord,
} from '../../src/dump/lkcd/layout.ts';
import { MkdumpHeader, MkdumpRange } from '../../src/dump/mkdump/layout.ts';
import { NoteHeader } from '../../src/dump/notes.ts';

/** One number, or some bytes. */
export interface Place {
  readonly at: number;
  readonly size: number;
  readonly isBigEndian?: boolean;
}

/** Of rows of equal structures the first ones stand for all. */
const most = 24;
const partition = 4096;

type AnyStruct = Pick<Struct<Record<string, never>>, 'size' | 'fields' | 'offsetOf'>;

function members(layout: object, at: number, isBigEndian = false): Place[] {
  const { fields, offsetOf } = layout as AnyStruct;
  return Object.entries(fields).map(([name, field]) => ({
    at: at + offsetOf(name as never),
    size: (field as { size: number }).size,
    isBigEndian,
  }));
}

function row(layout: { readonly size: number }, at: number, count: number): Place[] {
  return Array.from({ length: Math.min(count, most) }, (_, index) =>
    members(layout, at + index * layout.size),
  ).flat();
}

type Find = (file: Uint8Array) => Place[];

const finders: Readonly<Record<string, Find>> = {
  kdump: (file) => {
    const machine = headerMachine(memorySource('base', file), 0);
    const header = DiskDumpHeaders[machine].read(file);
    const size = header.block_size;
    const sub = KdumpSubHeaders[machine].read(file, size);
    const bitmapsAt = (1 + header.sub_hdr_size) * size;
    return [
      ...members(DiskDumpHeaders[machine], 0),
      ...members(KdumpSubHeaders[machine], size),
      ...notes(file, sub.offset_note, sub.size_note),
      ...bytes(bitmapsAt, 16),
      ...bytes(bitmapsAt + (header.bitmap_blocks / 2) * size, 16),
      ...row(PageDescriptor, bitmapsAt + header.bitmap_blocks * size, most),
    ];
  },
  diskdump: (file) => {
    const isFile = file[0] === 0x44;
    const start = isFile ? 0 : partition;
    const machine = headerMachine(memorySource('base', file), start);
    const layout = DiskDumpHeaders[machine];
    const header = layout.read(file, start);
    const size = header.block_size;
    const bitmapsAt = start + (1 + header.sub_hdr_size) * size;
    const end = bitmapsAt + header.bitmap_blocks * size;
    return [
      ...bytes(0, 32),
      ...members(layout, start),
      ...words(start + layout.size, 4),
      ...words(start + size, 24),
      ...bytes(bitmapsAt, 16),
      ...bytes(bitmapsAt + size, 16),
      ...(isFile ? row(PageDescriptor, end, most) : stream(file, end)),
    ];
  },
  elf: (file) => {
    const is32 = file[4] === 1;
    const layout = is32 ? Elf32Header : Elf64Header;
    const Phdr = is32 ? Elf32Phdr : Elf64Phdr;
    const { e_phoff, e_shoff } = layout.read(file);
    const at = Number(e_phoff);
    const inFile = at + Phdr.size <= file.length;
    const first = inFile ? Phdr.read(file, at) : undefined;
    return [
      ...bytes(0, 8),
      ...members(layout, 0),
      ...(inFile ? row(Phdr, at, 12) : []),
      ...(first === undefined ? [] : notes(file, Number(first.p_offset), Number(first.p_filesz))),
      ...words(Number(e_shoff), e_shoff ? 8 : 0),
    ];
  },
  flattened: (file) => {
    const places = members(FlatHeader, 0, true);
    for (let at = headerSize; at + FlatRecord.size <= file.length; ) {
      places.push(...members(FlatRecord, at, true));
      const { offset, buf_size } = FlatRecord.read(file, at);
      const start = at + FlatRecord.size;
      // Of the file inside: its first blocks have its headers.
      if (offset < 8192n) places.push(...words(start, 40));
      at = start + Math.max(0, Number(buf_size));
      if (buf_size <= 0n || places.length > 2000) break;
    }
    return places;
  },
  lime: (file) => {
    const places: Place[] = [];
    for (let at = 0; at + LimeHeader.size <= file.length && places.length < 200; ) {
      places.push(...members(LimeHeader, at));
      const view = new DataView(file.buffer, file.byteOffset);
      const size = view.getBigUint64(at + 16, true) - view.getBigUint64(at + 8, true);
      if (size < 0n || size > BigInt(file.length)) break;
      at += LimeHeader.size + Number(size) + 1;
    }
    return places;
  },
  lkcd: (file) => {
    const view = new DataView(file.buffer, file.byteOffset);
    const version = view.getUint32(8, true);
    const archAt = view.getUint32(12, true);
    const { x86_64, i386 } = oldHeadersOf;
    const name = version === 1 ? 'v1' : version < 5 ? 'v2' : 'v5';
    const heads = version < 8 ? [x86_64[name], i386[name]] : [HeaderV8];
    const arch = version < 8 ? ArchHeadersV2 : ArchHeaders;
    const tail = version >= 9 ? HeaderV9Tail.read(file, HeaderV8.size).dh_dump_buffer_size : 0;
    return [
      ...heads.flatMap((layout) => members(layout, 0)),
      ...members(HeaderV9Tail, HeaderV8.size),
      ...members(arch.x86_64, archAt),
      ...members(arch.i386, archAt),
      ...words(archAt + arch.x86_64.size, 48),
      ...records(file, version >= 9 && tail < file.length && tail > 0 ? tail : headerAreaSize),
    ];
  },
  mkdump: (file) => {
    const { ranges_offset, notes_offset, notes_size, range_count } = MkdumpHeader.read(file);
    return [
      ...members(MkdumpHeader, 0),
      ...row(MkdumpRange, ranges_offset, range_count),
      ...notes(file, notes_offset, notes_size),
    ];
  },
};

/** The places of a file of this format; those of one without a format are its bytes. */
export function placesOf(format: string, file: Uint8Array): Place[] {
  const find = finders[format] ?? ((all: Uint8Array) => bytes(0, Math.min(all.length, 256)));
  // Recipes are of damaged files, too: the start of a file has what is worth most.
  const found = attempt(() => find(file)) ?? words(0, 64);
  return found.filter(({ at, size }) => at >= 0 && at + size <= file.length);
}

function words(at: number, count: number): Place[] {
  return Array.from({ length: count }, (_, index) => ({ at: at + index * 8, size: 8 }));
}

function bytes(at: number, count: number): Place[] {
  return Array.from({ length: count }, (_, index) => ({ at: at + index, size: 1 }));
}

function notes(file: Uint8Array, start: number, size: number): Place[] {
  const places: Place[] = [];
  for (let at = start; at + NoteHeader.size <= Math.min(start + size, file.length); ) {
    const { n_namesz, n_descsz } = NoteHeader.read(file, at);
    places.push(...members(NoteHeader, at), ...words(at + NoteHeader.size, 4));
    at += NoteHeader.size + Math.ceil(n_namesz / 4) * 4 + Math.ceil(n_descsz / 4) * 4;
    if (places.length > 200) break;
  }
  return places;
}

function records(file: Uint8Array, start: number): Place[] {
  const places: Place[] = [];
  for (let at = start; at + PageRecord.size <= file.length && places.length < 200; ) {
    places.push(...members(PageRecord, at));
    at += PageRecord.size + PageRecord.read(file, at).dp_size;
  }
  return places;
}

function stream(file: Uint8Array, start: number): Place[] {
  const places: Place[] = [];
  for (let at = start; at + StreamPage.size <= file.length && places.length < 100; ) {
    places.push(...members(StreamPage, at));
    at += StreamPage.size + StreamPage.read(file, at).size;
  }
  return places;
}
