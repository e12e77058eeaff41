/**
 * Makes dump files from recipes: the situation in a few lines of text instead of a binary file.
 * Written from the formats' descriptions and sharing no code with src/dump, so that a layout that
 * is wrong there does not agree with itself here.
 *
 * A recipe is a list of directives, `word [position] key=value ...`, `#` starts a comment:
 *
 *   lkcd version=8 compress=rle       starts a file: lkcd, kdump, elf or bytes
 *   page 0x1 fill=0x41                content of PFN 1; fill=N, zero, random=SEED, text=T
 *   note prstatus rip=0x10            (kdump, elf) a note
 *   flatten chunk=512 order=reversed  wraps the file
 *   poke 0x30 u32 7                   writes over what stands at an offset of the finished file
 *   cut -100                          ends the file at an offset, from the end if negative
 *
 * More changes to the finished file are in edits.ts.
 */

import {
  big,
  contentOf,
  type Directive,
  num,
  type Pack,
  type PageToWrite,
  packed,
  pageSize,
  parseDirective,
  pfnsOf,
  writeUtsname,
} from './directives.ts';
import { applyEdit, editOf, editWords } from './edits.ts';
import { makeDiskdump } from './maker-diskdump.ts';
import { makeLkcd } from './maker-lkcd.ts';
import { makeElf32, makeLime, makeMkdump, note32 } from './maker-plain.ts';

export function makeDump(recipe: string, pack: Pack): Uint8Array {
  const directives = recipe
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map(parseDirective);
  const [start, ...rest] = directives;
  if (start === undefined) throw new Error('an empty recipe');
  const isWrap = ({ word }: Directive): boolean => {
    return editWords.has(word) || word === 'flatten' || word === 'record';
  };
  const body = rest.filter((directive) => !isWrap(directive));
  const makers = {
    diskdump: makeDiskdump,
    lkcd: makeLkcd,
    kdump: makeKdump,
    elf: makeElf,
    elf32: makeElf32,
    lime: makeLime,
    mkdump: makeMkdump,
    bytes: makeBytes,
  };
  const make = makers[start.word as keyof typeof makers];
  if (make === undefined) throw new Error(`no file is called ${start.word}`);
  let file = make(start, body, pack);
  for (const directive of rest.filter(isWrap)) file = wrap(file, directive);
  return new Uint8Array(file);
}

// --- notes ---------------------------------------------------------------------------------------

function noteOf(directive: Directive): Buffer {
  const [kind] = directive.position;
  if (kind === 'vmcoreinfo') {
    const lines = directive.options.get('text')?.replaceAll(';', '\n').replaceAll(':', '=');
    return encodeNote('VMCOREINFO', 0, Buffer.from(`${lines ?? 'OSRELEASE=6.1.0-recipe'}\n`));
  }
  if (kind === 'xen') return encodeNote('Xen', 0x1000001, Buffer.alloc(80));
  if (kind === 'taskstruct') {
    const desc = Buffer.alloc(2048);
    desc.writeBigUInt64LE(big(directive, 'task'));
    return encodeNote('CORE', 4, desc);
  }
  if (kind === 'qemu') {
    const desc = Buffer.alloc(440);
    desc.writeUInt32LE(1, 0);
    desc.writeUInt32LE(440, 4);
    desc.writeBigUInt64LE(big(directive, 'rip'), 8 + 16 * 8);
    desc.writeBigUInt64LE(big(directive, 'cr3'), 416);
    return encodeNote('QEMU', 0, desc);
  }
  const desc = Buffer.alloc(336);
  desc.writeInt32LE(num(directive, 'pid', 0), 32);
  desc.writeBigUInt64LE(big(directive, 'rip'), 112 + 16 * 8);
  desc.writeBigUInt64LE(big(directive, 'rsp'), 112 + 19 * 8);
  return encodeNote('CORE', 1, desc);
}

function encodeNote(name: string, type: number, desc: Buffer): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(name.length + 1, 0);
  header.writeUInt32LE(desc.length, 4);
  header.writeUInt32LE(type, 8);
  const nameField = Buffer.alloc(Math.ceil((name.length + 1) / 4) * 4);
  nameField.write(name);
  const padding = Buffer.alloc((4 - (desc.length % 4)) % 4);
  return Buffer.concat([header, nameField, desc, padding]);
}

// --- KDUMP ---------------------------------------------------------------------------------------

const kdumpFlags: Readonly<Record<string, number>> = {
  raw: 0, zlib: 1, lzo: 2, snappy: 4, zstd: 0x20,
}; // biome-ignore format: one table

/** Where i386 has something else than x86_64, in the main header and in the sub header. */
function kdumpPlaces(start: Directive) {
  const is32 = start.options.get('machine') === 'i386';
  return is32
    ? { is32, time: 404, fields: 412, level: 4, range: 12, text: 20, note: 32, erased: 44,
        range64: 56, subSize: 80 }
    : { is32, time: 408, fields: 424, level: 8, range: 16, text: 32, note: 48, erased: 64,
        range64: 80, subSize: 104 }; // biome-ignore format: one table
}

function makeKdump(start: Directive, body: readonly Directive[], pack: Pack): Buffer {
  const { is32, subSize } = kdumpPlaces(start);
  const endPfn = num(start, 'pages', 64);
  const maps = num(start, 'bitmaps', 2);
  const isStatus = ({ position }: Directive): boolean => position[0] === 'prstatus';
  const noteFor = (note: Directive): Buffer =>
    is32 && isStatus(note) ? note32(note) : noteOf(note);
  const notes = Buffer.concat(body.filter(({ word }) => word === 'note').map(noteFor));
  const subBlocks = Math.ceil((subSize + notes.length) / pageSize);
  const mapBlocks = Math.ceil(Math.ceil(endPfn / 8) / pageSize);
  const bitmapsAt = (1 + subBlocks) * pageSize;
  const descriptorsAt = bitmapsAt + maps * mapBlocks * pageSize;
  const pages = body.filter(({ word }) => word === 'page').flatMap(pagesOf);
  const file = Buffer.alloc(descriptorsAt + 24 * pages.length);
  writeKdumpHeader(file, start, { endPfn, subBlocks, mapBlocks: maps * mapBlocks });
  writeSubHeader(file, start, notes, endPfn);
  const setBit = (map: number, pfn: number): void => {
    const at = bitmapsAt + map * mapBlocks * pageSize + (pfn >> 3);
    file[at] = file[at]! | (1 << (pfn & 7));
  };
  for (const directive of body.filter(({ word }) => word === 'excluded')) {
    for (const pfn of pfnsOf(directive)) setBit(0, pfn);
  }
  // Pages of a split dump whose descriptors are in another part.
  for (const directive of body.filter(({ word }) => word === 'elsewhere')) {
    for (const pfn of pfnsOf(directive)) {
      setBit(0, pfn);
      setBit(1, pfn);
    }
  }
  for (const { pfn } of pages) {
    setBit(0, pfn);
    if (maps === 2) setBit(1, pfn);
  }
  return Buffer.concat([file, ...kdumpData(file, descriptorsAt, pages, pack)]);
}

function pagesOf(directive: Directive): PageToWrite[] {
  return pfnsOf(directive).map((pfn) => ({ pfn, directive }));
}

/** Fills in the descriptors, in PFN order; data stands in the recipe's order. */
function kdumpData(file: Buffer, at: number, pages: readonly PageToWrite[], pack: Pack): Buffer[] {
  const pieces: Buffer[] = [];
  const order = pages.map(({ pfn }) => pfn).sort((a, b) => a - b);
  let offset = file.length;
  const shared = new Map<string, number>();
  for (const { pfn, directive } of pages) {
    const as =
      directive.options.get('as') ?? (directive.position.includes('zero') ? 'raw' : 'zlib');
    const data = packed(as, contentOf(directive), pack);
    const key = data.toString('latin1');
    const place = directive.options.has('lost') ? 0 : (shared.get(key) ?? offset);
    const descriptor = at + 24 * order.indexOf(pfn);
    file.writeBigUInt64LE(BigInt(num(directive, 'offset', place)), descriptor);
    file.writeUInt32LE(num(directive, 'size', data.length), descriptor + 8);
    file.writeUInt32LE(num(directive, 'flags', kdumpFlags[as]!), descriptor + 12);
    if (place !== offset) continue;
    if (directive.position.includes('zero')) shared.set(key, offset);
    pieces.push(data);
    offset += data.length;
  }
  return pieces;
}

function writeKdumpHeader(
  file: Buffer,
  start: Directive,
  blocks: { endPfn: number; subBlocks: number; mapBlocks: number },
): void {
  const { is32, time, fields } = kdumpPlaces(start);
  file.write((start.options.get('signature') ?? 'KDUMP').padEnd(8));
  file.writeInt32LE(num(start, 'version', 6), 8);
  writeUtsname(file, 12, start.options.get('uname') ?? (is32 ? 'i686' : 'x86_64'));
  if (start.options.has('nameless')) file.fill(0, 12, 402);
  file.writeUInt32LE(1700000000, time);
  file.writeUInt32LE(num(start, 'status', 1), fields);
  file.writeInt32LE(pageSize, fields + 4);
  file.writeInt32LE(blocks.subBlocks, fields + 8);
  file.writeUInt32LE(blocks.mapBlocks, fields + 12);
  file.writeUInt32LE(blocks.endPfn, fields + 16);
  file.writeInt32LE(1, fields + 36);
}

function writeSubHeader(file: Buffer, start: Directive, notes: Buffer, endPfn: number): void {
  const sub = file.subarray(pageSize);
  const version = num(start, 'version', 6);
  const at = kdumpPlaces(start);
  const writeLong = (value: bigint, place: number): void => {
    if (at.is32) sub.writeUInt32LE(Number(value), place);
    else sub.writeBigUInt64LE(value, place);
  };
  const writeRange = (offset: number, size: number, place: number): void => {
    sub.writeBigUInt64LE(BigInt(offset), place);
    writeLong(BigInt(size), place + 8);
  };
  sub.writeInt32LE(num(start, 'level', 31), at.level);
  sub.writeInt32LE(num(start, 'split', 0), at.level + 4);
  if (start.options.has('split') && version >= 6) {
    sub.writeBigUInt64LE(big(start, 'first'), at.range64);
    sub.writeBigUInt64LE(big(start, 'end'), at.range64 + 8);
  } else if (start.options.has('split')) {
    writeLong(big(start, 'first'), at.range);
    writeLong(big(start, 'end'), at.range + (at.is32 ? 4 : 8));
  }
  const erased = start.options.get('eraseinfo') ?? '';
  if (version >= 5 && erased !== '') {
    writeRange(pageSize + at.subSize + notes.length, erased.length, at.erased);
    sub.write(erased, at.subSize + notes.length);
  }
  notes.copy(sub, at.subSize);
  const text = notes.indexOf('OSRELEASE=');
  if (version >= 3 && text >= 0) {
    writeRange(pageSize + at.subSize + text, notes.indexOf('\n', text) + 1 - text, at.text);
  }
  if (version >= 4 && notes.length > 0) writeRange(pageSize + at.subSize, notes.length, at.note);
  if (version >= 6) sub.writeBigUInt64LE(BigInt(endPfn), at.range64 + 16);
}

// --- ELF -----------------------------------------------------------------------------------------

function makeElf(start: Directive, body: readonly Directive[]): Buffer {
  const phoff = num(start, 'phoff', 64);
  const notes = Buffer.concat(body.filter(({ word }) => word === 'note').map(noteOf));
  const loads = body.filter(({ word }) => word === 'load');
  const count = loads.length + 1;
  const notesAt = phoff + 56 * count;
  const head = Buffer.alloc(Math.ceil((notesAt + notes.length) / pageSize) * pageSize);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(num(start, 'type', 4), 16);
  head.writeUInt16LE(num(start, 'machine', 62), 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BigInt(phoff), 32);
  head.writeUInt32LE(num(start, 'flags', 0), 48);
  head.writeUInt16LE(num(start, 'ehsize', 64), 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(start.options.has('xnum') ? 0xffff : count, 56);
  notes.copy(head, notesAt);
  const [filesz, none] = [notes.length, { paddr: 0n, vaddr: 0n, memsz: 0 }];
  writePhdr(head, phoff, { type: 4, offset: notesAt, filesz, ...none });
  if (start.options.has('xnum')) {
    const section = Buffer.alloc(64);
    section.writeUInt32LE(count, 44);
    head.writeBigUInt64LE(BigInt(head.length), 40);
    head.writeUInt16LE(64, 58);
    head.writeUInt16LE(1, 60);
    return Buffer.concat([head, section, ...loadData(head, phoff, loads, head.length + 64)]);
  }
  return Buffer.concat([head, ...loadData(head, phoff, loads, head.length)]);
}

/** Writes the PT_LOADs' headers; each segment's data is its first page over and over. */
function loadData(head: Buffer, phoff: number, loads: readonly Directive[], at: number): Buffer[] {
  let offset = at;
  return loads.map((load, index) => {
    const filesz = num(load, 'filesz', pageSize);
    const memsz = num(load, 'memsz', filesz);
    const [paddr, vaddr] = [big(load, 'paddr'), big(load, 'vaddr')];
    writePhdr(head, phoff + 56 * (index + 1), { type: 1, offset, paddr, vaddr, filesz, memsz });
    offset += filesz;
    const page = contentOf(load);
    return Buffer.alloc(filesz, page);
  });
}

function writePhdr(
  head: Buffer,
  at: number,
  phdr: Readonly<Record<'type' | 'offset' | 'filesz' | 'memsz', number>> &
    Readonly<Record<'paddr' | 'vaddr', bigint>>,
): void {
  head.writeUInt32LE(phdr.type, at);
  head.writeBigUInt64LE(BigInt(phdr.offset), at + 8);
  head.writeBigUInt64LE(phdr.vaddr, at + 16);
  head.writeBigUInt64LE(BigInt.asUintN(64, phdr.paddr), at + 24);
  head.writeBigUInt64LE(BigInt(phdr.filesz), at + 32);
  head.writeBigUInt64LE(BigInt(phdr.memsz), at + 40);
}

function makeBytes({ options, position }: Directive): Buffer {
  const hex = position[0];
  return hex === undefined ? Buffer.alloc(Number(options.get('zeros'))) : Buffer.from(hex, 'hex');
}

// --- around the file -----------------------------------------------------------------------------

function wrap(file: Buffer, directive: Directive): Buffer {
  const edit = editOf(directive, file.length);
  if (edit !== undefined) return Buffer.from(applyEdit(file, edit));
  if (directive.word === 'flatten') return flatten(file, directive);
  return flatRecord(file, Number(directive.position[0]), directive);
}

function flatHeader(offset: bigint, size: bigint): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigInt64BE(offset, 0);
  header.writeBigInt64BE(size, 8);
  return header;
}

/** Chunks of zeros are left out, as a writer that seeks over holes does. */
function flatten(file: Buffer, directive: Directive): Buffer {
  const head = Buffer.alloc(pageSize);
  head.write('makedumpfile');
  head.writeBigInt64BE(1n, 16);
  head.writeBigInt64BE(1n, 24);
  const chunk = num(directive, 'chunk', 4096);
  const records: Buffer[] = [];
  for (let at = 0; at < file.length; at += chunk) {
    const payload = file.subarray(at, at + chunk);
    if (payload.every((byte) => byte === 0) && at + chunk < file.length) continue;
    records.push(Buffer.concat([flatHeader(BigInt(at), BigInt(payload.length)), payload]));
  }
  if (directive.options.get('order') === 'reversed') records.reverse();
  const end = directive.options.get('end') === 'none' ? [] : [flatHeader(-1n, -1n)];
  return Buffer.concat([head, ...records, ...end]);
}

/** `record OFFSET length=N fill=B`: one more record before the end record. */
function flatRecord(file: Buffer, offset: number, directive: Directive): Buffer {
  const payload = Buffer.alloc(num(directive, 'length', 16), num(directive, 'fill', 0));
  const body = file.subarray(0, file.length - 16);
  const header = flatHeader(BigInt(offset), BigInt(payload.length));
  return Buffer.concat([body, header, payload, flatHeader(-1n, -1n)]);
}
