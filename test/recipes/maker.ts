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
 *   poke 0x30 u32 7                   writes over what stands at an offset of the finished file
 *   flatten chunk=512 order=reversed  wraps the file
 *   cut -100                          ends the file at an offset, from the end if negative
 */

import { deflateSync } from 'node:zlib';
import type { CompressionName } from '../../src/codec/types.ts';

/** Packs a page; the caller lends the codecs that Node does not have. */
export type Pack = (name: CompressionName, page: Uint8Array) => Uint8Array;

const pageSize = 4096;

interface Directive {
  readonly word: string;
  readonly position: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

export function makeDump(recipe: string, pack: Pack): Uint8Array {
  const directives = recipe
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map(parseDirective);
  const [start, ...rest] = directives;
  if (start === undefined) throw new Error('an empty recipe');
  const wraps = new Set(['poke', 'cut', 'pad', 'flatten', 'record']);
  const body = rest.filter(({ word }) => !wraps.has(word));
  const makers = { lkcd: makeLkcd, kdump: makeKdump, elf: makeElf, bytes: makeBytes };
  const make = makers[start.word as keyof typeof makers];
  if (make === undefined) throw new Error(`no file is called ${start.word}`);
  let file = make(start, body, pack);
  for (const directive of rest.filter(({ word }) => wraps.has(word))) file = wrap(file, directive);
  return new Uint8Array(file);
}

function parseDirective(line: string): Directive {
  const [word, ...words] = line.split(/\s+/);
  const options = new Map<string, string>();
  const position: string[] = [];
  for (const each of words) {
    const [key, value] = each.split('=');
    if (value === undefined) position.push(each);
    else options.set(key!, value);
  }
  return { word: word!, position, options };
}

/** A number option, or the default. */
function num({ options }: Directive, key: string, otherwise: number): number {
  const value = options.get(key);
  return value === undefined ? otherwise : Number(value);
}

function big({ options }: Directive, key: string): bigint {
  return BigInt(options.get(key) ?? 0);
}

/** `5` or `3-7`, both ends included. */
function pfnsOf({ position }: Directive): number[] {
  const [first, last] = position[0]!.split('-').map(Number);
  return Array.from({ length: (last ?? first!) - first! + 1 }, (_, index) => first! + index);
}

function contentOf({ options, position }: Directive): Buffer {
  const page = Buffer.alloc(pageSize);
  if (position.includes('zero')) return page;
  if (options.has('fill')) return page.fill(Number(options.get('fill')));
  if (options.has('text')) return page.fill(`${options.get('text')} `);
  let seed = Number(options.get('random') ?? 1);
  for (let at = 0; at < pageSize; at++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    page[at] = seed >>> 24;
  }
  return page;
}

function packed(as: string, page: Buffer, pack: Pack): Buffer {
  if (as === 'raw') return page;
  if (as === 'zlib') return deflateSync(page);
  return Buffer.from(pack(as as CompressionName, page));
}

// --- LKCD ----------------------------------------------------------------------------------------

const lkcdMagic = Buffer.from('ed238f61730119a8', 'hex');
const lkcdCompression: Readonly<Record<string, number>> = { none: 0, rle: 1, zlib: 2 };

function makeLkcd(start: Directive, body: readonly Directive[], pack: Pack): Buffer {
  const version = num(start, 'version', 8);
  const area = num(start, 'area', 65536);
  const compress = start.options.get('compress') ?? 'none';
  const header = Buffer.alloc(area);
  // Version 8 packed everything; before it the compiler's padding stands after the panic string.
  const shift = version < 8 ? 4 : 0;
  lkcdMagic.copy(header);
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(version < 8 ? 744 : version === 8 ? 734 : 742, 12);
  header.writeUInt32LE(pageSize, 20);
  header.writeUInt32LE(body.filter(({ word }) => word === 'page').length, 48);
  header.write('Recipe panic', 52);
  header.writeBigUInt64LE(1700000000n, 308 + shift);
  writeUtsname(header, 324 + shift);
  const task = version < 8 ? 720 : 714;
  header.writeBigUInt64LE(0xffff888000001000n, task);
  header.writeUInt32LE(lkcdCompression[compress]!, task + 8);
  if (version >= 9) header.writeBigUInt64LE(BigInt(num(start, 'says', area)), 734);
  const pieces: Buffer[] = [header];
  for (const directive of body) {
    if (directive.word === 'arch') writeArch(header, version === 8 ? 734 : 742, directive);
    else pieces.push(...lkcdRecords(directive, compress, pack));
  }
  return Buffer.concat(pieces);
}

function writeArch(header: Buffer, at: number, arch: Directive): void {
  const slots = num(arch, 'slots', 2);
  header.writeBigUInt64LE(0xdeaddeadn, at);
  header.writeUInt32LE(2, at + 8);
  header.writeUInt32LE(num(arch, 'size', 192 + 192 * slots), at + 12);
  header.writeUInt32LE(slots, at + 184);
  header.writeInt32LE(num(arch, 'dumping', 0), at + 188);
  for (let cpu = 0; cpu < num(arch, 'online', slots); cpu++) {
    const registers = at + 192 + 168 * cpu;
    // r15 counts the CPU, rip and rsp are what readers look for.
    header.writeBigUInt64LE(BigInt(cpu + 1), registers);
    header.writeBigUInt64LE(0xffffffff81000000n + BigInt(cpu), registers + 16 * 8);
    header.writeBigUInt64LE(0xffffc90000000000n + BigInt(cpu), registers + 19 * 8);
    header.writeBigUInt64LE(0xffff888000001000n + BigInt(cpu), at + 192 + 168 * slots + 8 * cpu);
  }
}

function lkcdRecords(directive: Directive, compress: string, pack: Pack): Buffer[] {
  if (directive.word === 'end') return [lkcdRecord(0n, 0, num(directive, 'flags', 4))];
  if (directive.word !== 'page') throw new Error(`LKCD has no ${directive.word}`);
  const as = directive.options.get('as') ?? (compress === 'none' ? 'raw' : compress);
  const data = as === 'nothing' ? Buffer.alloc(0) : packed(as, contentOf(directive), pack);
  const flags = num(directive, 'flags', as === 'raw' || as === 'nothing' ? 1 : 2);
  return pfnsOf(directive).flatMap((pfn) => {
    const address = BigInt(pfn) * BigInt(pageSize) + big(directive, 'shift');
    return [lkcdRecord(address, num(directive, 'size', data.length), flags), data];
  });
}

function lkcdRecord(address: bigint, size: number, flags: number): Buffer {
  const record = Buffer.alloc(16);
  record.writeBigUInt64LE(address, 0);
  record.writeUInt32LE(size, 8);
  record.writeUInt32LE(flags, 12);
  return record;
}

function writeUtsname(target: Buffer, at: number): void {
  const texts = ['Linux', 'recipe', '6.1.0-recipe', '#1 SMP', 'x86_64', '(none)'];
  for (const [index, text] of texts.entries()) target.write(text, at + 65 * index);
}

// --- notes ---------------------------------------------------------------------------------------

function noteOf(directive: Directive): Buffer {
  const [kind] = directive.position;
  if (kind === 'vmcoreinfo') {
    const lines = directive.options.get('text')?.replaceAll(';', '\n').replaceAll(':', '=');
    return encodeNote('VMCOREINFO', 0, Buffer.from(`${lines ?? 'OSRELEASE=6.1.0-recipe'}\n`));
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
const subHeaderSize = 104;

function makeKdump(start: Directive, body: readonly Directive[], pack: Pack): Buffer {
  const endPfn = num(start, 'pages', 64);
  const maps = num(start, 'bitmaps', 2);
  const notes = Buffer.concat(body.filter(({ word }) => word === 'note').map(noteOf));
  const subBlocks = Math.ceil((subHeaderSize + notes.length) / pageSize);
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
  for (const { pfn } of pages) {
    setBit(0, pfn);
    if (maps === 2) setBit(1, pfn);
  }
  return Buffer.concat([file, ...kdumpData(file, descriptorsAt, pages, pack)]);
}

interface PageToWrite {
  readonly pfn: number;
  readonly directive: Directive;
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
  file.write((start.options.get('signature') ?? 'KDUMP').padEnd(8));
  file.writeInt32LE(num(start, 'version', 6), 8);
  writeUtsname(file, 12);
  file.writeBigUInt64LE(1700000000n, 408);
  file.writeUInt32LE(num(start, 'status', 1), 424);
  file.writeInt32LE(pageSize, 428);
  file.writeInt32LE(blocks.subBlocks, 432);
  file.writeUInt32LE(blocks.mapBlocks, 436);
  file.writeUInt32LE(blocks.endPfn, 440);
  file.writeInt32LE(1, 460);
}

function writeSubHeader(file: Buffer, start: Directive, notes: Buffer, endPfn: number): void {
  const sub = file.subarray(pageSize);
  const version = num(start, 'version', 6);
  sub.writeInt32LE(num(start, 'level', 31), 8);
  sub.writeInt32LE(num(start, 'split', 0), 12);
  notes.copy(sub, subHeaderSize);
  const text = notes.indexOf('OSRELEASE=');
  if (version >= 3 && text >= 0) {
    sub.writeBigUInt64LE(BigInt(pageSize + subHeaderSize + text), 32);
    sub.writeBigUInt64LE(BigInt(notes.indexOf('\n', text) + 1 - text), 40);
  }
  if (version >= 4 && notes.length > 0) {
    sub.writeBigUInt64LE(BigInt(pageSize + subHeaderSize), 48);
    sub.writeBigUInt64LE(BigInt(notes.length), 56);
  }
  if (version >= 6) sub.writeBigUInt64LE(BigInt(endPfn), 96);
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
  writePhdr(head, phoff, { type: 4, offset: notesAt, paddr: 0n, filesz: notes.length, memsz: 0 });
  if (start.options.has('xnum')) {
    const section = Buffer.alloc(64);
    section.writeUInt32LE(count, 44);
    head.writeBigUInt64LE(BigInt(head.length), 40);
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
    const paddr = big(load, 'paddr');
    writePhdr(head, phoff + 56 * (index + 1), { type: 1, offset, paddr, filesz, memsz });
    offset += filesz;
    const page = contentOf(load);
    return Buffer.alloc(filesz, page);
  });
}

function writePhdr(
  head: Buffer,
  at: number,
  phdr: { type: number; offset: number; paddr: bigint; filesz: number; memsz: number },
): void {
  head.writeUInt32LE(phdr.type, at);
  head.writeBigUInt64LE(BigInt(phdr.offset), at + 8);
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
  const { word, position } = directive;
  const at = Number(position[0]);
  switch (word) {
    case 'cut':
      return file.subarray(0, at < 0 ? file.length + at : at);
    case 'pad':
      return Buffer.concat([file, Buffer.alloc(at, Number(position[1] ?? 0))]);
    case 'poke':
      return poke(file, at < 0 ? file.length + at : at, position[1]!, position[2]!);
    case 'flatten':
      return flatten(file, directive);
    default:
      return flatRecord(file, at, directive);
  }
}

function poke(file: Buffer, at: number, type: string, value: string): Buffer {
  if (type === 'u8') file.writeUInt8(Number(value), at);
  else if (type === 'u16') file.writeUInt16LE(Number(value), at);
  else if (type === 'u32') file.writeUInt32LE(Number(value), at);
  else if (type === 'u64') file.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
  else if (type === 'be64') file.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), at);
  else throw new Error(`poke knows no ${type}`);
  return file;
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
