/** LKCD files from recipes, at offsets worked out by hand: see docs/reference/formats/lkcd.md. */

import {
  big,
  contentOf,
  type Directive,
  num,
  type Pack,
  packed,
  pageSize,
  pfnsOf,
  writeUtsname,
} from './directives.ts';

const magic = Buffer.from('ed238f61730119a8', 'hex');
const compression: Readonly<Record<string, number>> = { none: 0, rle: 1, zlib: 2 };

interface Places {
  readonly panic: number;
  readonly time: number;
  readonly uts: number;
  /** Version 1 only. */
  readonly registers?: number;
  readonly task: number;
  /** Versions 5 and up. */
  readonly compress?: number;
  readonly size: number;
}

/** By machine, then version. */
const places: Readonly<Record<string, Readonly<Record<string, Places>>>> = {
  x86_64: {
    v1: { panic: 60, time: 320, uts: 336, registers: 728, task: 896, size: 904 },
    v2: { panic: 52, time: 312, uts: 328, task: 720, size: 728 },
    v5: { panic: 52, time: 312, uts: 328, task: 720, compress: 728, size: 744 },
    v8: { panic: 52, time: 308, uts: 324, task: 714, compress: 722, size: 734 },
  },
  i386: {
    v1: { panic: 60, time: 316, uts: 324, registers: 716, task: 776, size: 780 },
    v2: { panic: 52, time: 308, uts: 316, task: 708, size: 712 },
    v5: { panic: 52, time: 308, uts: 316, task: 708, compress: 712, size: 724 },
    v8: { panic: 52, time: 308, uts: 324, task: 714, compress: 722, size: 734 },
  },
};

function placesOf(machine: string, version: number): Places {
  const name = version >= 8 ? 'v8' : version >= 5 ? 'v5' : version >= 2 ? 'v2' : 'v1';
  const found = places[machine]![name]!;
  return version >= 9 ? { ...found, size: 742 } : found;
}

export function makeLkcd(start: Directive, body: readonly Directive[], pack: Pack): Buffer {
  const version = num(start, 'version', 8);
  const machine = start.options.get('machine') ?? 'x86_64';
  const is64 = machine === 'x86_64';
  const area = num(start, 'area', 65536);
  const compress = start.options.get('compress') ?? (version < 5 ? 'rle' : 'none');
  const place = placesOf(machine, version);
  const header = Buffer.alloc(area);
  magic.copy(header);
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(place.size, 12);
  header.writeUInt32LE(num(start, 'page', pageSize), 20);
  const pages = body.filter(({ word }) => word === 'page').length;
  header.writeUInt32LE(pages, version === 1 ? 56 : 48);
  header.write('Recipe panic', place.panic);
  header.writeUInt32LE(1700000000, place.time);
  writeUtsname(header, place.uts, start.options.get('uname') ?? (is64 ? 'x86_64' : 'i686'));
  if (is64) header.writeBigUInt64LE(0xffff888000001000n, place.task);
  else header.writeUInt32LE(0xc1234000, place.task);
  if (place.compress !== undefined) header.writeUInt32LE(compression[compress]!, place.compress);
  if (version >= 9) header.writeBigUInt64LE(BigInt(num(start, 'says', area)), 734);
  const registers = start.options.has('registers') ? place.registers : undefined;
  if (registers !== undefined) writeRegisters(header, registers, 0, is64);
  const pieces: Buffer[] = [header];
  for (const directive of body) {
    if (directive.word !== 'arch') pieces.push(...records(directive, compress, pack));
    else if (version < 8) writeArchV2(header, place.size, is64);
    else if (is64) writeArch(header, place.size, directive);
    else writeArch386(header, place.size, directive);
  }
  return Buffer.concat(pieces);
}

/** r15 (or ebx) counts the CPU; rip and rsp are what readers look for. */
function writeRegisters(header: Buffer, at: number, cpu: number, is64: boolean): void {
  if (is64) {
    header.writeBigUInt64LE(BigInt(cpu + 1), at);
    header.writeBigUInt64LE(0xffffffff81000000n + BigInt(cpu), at + 16 * 8);
    header.writeBigUInt64LE(0xffffc90000000000n + BigInt(cpu), at + 19 * 8);
    return;
  }
  header.writeUInt32LE(cpu + 1, at);
  header.writeUInt32LE(0xc0100000 + cpu, at + 10 * 4);
  header.writeUInt32LE(0xc1230000 + cpu, at + 13 * 4);
}

/** Versions 2 and 3: magic, version, size, esp, eip, registers. */
function writeArchV2(header: Buffer, at: number, is64: boolean): void {
  header.writeBigUInt64LE(0xdeaddeadn, at);
  header.writeUInt32LE(1, at + 8);
  header.writeUInt32LE(is64 ? 192 : 84, at + 12);
  writeRegisters(header, at + 24, 0, is64);
}

function writeArch(header: Buffer, at: number, arch: Directive): void {
  const slots = num(arch, 'slots', 2);
  header.writeBigUInt64LE(0xdeaddeadn, at);
  header.writeUInt32LE(2, at + 8);
  header.writeUInt32LE(num(arch, 'size', 192 + 192 * slots), at + 12);
  header.writeUInt32LE(slots, at + 184);
  header.writeInt32LE(num(arch, 'dumping', 0), at + 188);
  for (let cpu = 0; cpu < num(arch, 'online', slots); cpu++) {
    writeRegisters(header, at + 192 + 168 * cpu, cpu, true);
    header.writeBigUInt64LE(0xffff888000001000n + BigInt(cpu), at + 192 + 168 * slots + 8 * cpu);
  }
}

function writeArch386(header: Buffer, at: number, arch: Directive): void {
  const slots = num(arch, 'slots', 2);
  header.writeBigUInt64LE(0xdeaddeadn, at);
  header.writeUInt32LE(3, at + 8);
  header.writeUInt32LE(num(arch, 'size', 92 + 72 * slots), at + 12);
  header.writeUInt32LE(slots, at + 84);
  header.writeUInt32LE(num(arch, 'dumping', 0), at + 88);
  for (let cpu = 0; cpu < num(arch, 'online', slots); cpu++) {
    writeRegisters(header, at + 92 + 60 * cpu, cpu, false);
    header.writeUInt32LE(0xc1234000 + cpu, at + 92 + 60 * slots + 4 * cpu);
  }
}

function records(directive: Directive, compress: string, pack: Pack): Buffer[] {
  if (directive.word === 'end') return [record(0n, 0, num(directive, 'flags', 4))];
  if (directive.word !== 'page') throw new Error(`LKCD has no ${directive.word}`);
  const as = directive.options.get('as') ?? (compress === 'none' ? 'raw' : compress);
  const whole = as === 'nothing' ? Buffer.alloc(0) : packed(as, contentOf(directive), pack);
  const data = whole.subarray(0, num(directive, 'keep', whole.length));
  const flags = num(directive, 'flags', as === 'raw' || as === 'nothing' ? 1 : 2);
  return pfnsOf(directive).flatMap((pfn) => {
    const address = BigInt(pfn) * BigInt(pageSize) + big(directive, 'shift');
    return [record(address, num(directive, 'size', data.length), flags), data];
  });
}

function record(address: bigint, size: number, flags: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(address, 0);
  header.writeUInt32LE(size, 8);
  header.writeUInt32LE(flags, 12);
  return header;
}
