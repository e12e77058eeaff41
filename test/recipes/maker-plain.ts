/**
 * Recipes of files that hold memory as it is: 32-bit ELF cores, LiME, mkdump's container.
 *
 *   elf32 machine=3                    load paddr=0x1000 filesz=0x1000 memsz=0x2000 fill=0x41
 *   lime                               range 0x1000 length=0x1000 fill=0x41
 *   mkdump status=2 done=0x2000        range 1-2 stored fill=0x41; range 5 zero; range 7 lost
 */

import {
  big,
  contentOf,
  type Directive,
  num,
  pageSize,
  pfnsOf,
  writeUtsname,
} from './directives.ts';

export function makeElf32(start: Directive, body: readonly Directive[]): Buffer {
  const count = body.length;
  const xnum = start.options.has('xnum');
  const notes = body.filter(({ word }) => word === 'note').map(note32);
  const dataAt = Math.ceil((52 + 32 * count + 40) / 16) * 16;
  const head = Buffer.alloc(dataAt);
  head.write('\x7fELF\x01\x01\x01', 'latin1');
  head.writeUInt16LE(4, 16);
  head.writeUInt16LE(num(start, 'machine', 3), 18);
  head.writeUInt32LE(1, 20);
  head.writeUInt32LE(52, 28);
  head.writeUInt32LE(num(start, 'flags', 0), 36);
  head.writeUInt16LE(52, 40);
  head.writeUInt16LE(num(start, 'phentsize', 32), 42);
  head.writeUInt16LE(xnum ? 0xffff : count, 44);
  if (xnum) {
    head.writeUInt32LE(52 + 32 * count, 32);
    head.writeUInt16LE(40, 46);
    head.writeUInt16LE(1, 48);
    head.writeUInt32LE(count, 52 + 32 * count + 28);
  }
  const pieces: Buffer[] = [head];
  let offset = dataAt;
  for (const [index, directive] of body.entries()) {
    const isNote = directive.word === 'note';
    const size = num(directive, 'filesz', pageSize);
    const data = isNote ? notes.shift()! : Buffer.alloc(size, contentOf(directive));
    const at = 52 + 32 * index;
    head.writeUInt32LE(isNote ? 4 : 1, at);
    head.writeUInt32LE(offset, at + 4);
    head.writeUInt32LE(Number(BigInt.asUintN(32, big(directive, 'paddr'))), at + 12);
    head.writeUInt32LE(data.length, at + 16);
    head.writeUInt32LE(isNote ? 0 : num(directive, 'memsz', data.length), at + 20);
    pieces.push(data);
    offset += data.length;
  }
  return Buffer.concat(pieces);
}

/** NT_PRSTATUS of i386: 144 bytes, pr_pid at 24, pr_reg at 72 (ebx ... eip is 12, esp 15). */
export function note32(directive: Directive): Buffer {
  const desc = Buffer.alloc(144);
  desc.writeInt32LE(num(directive, 'pid', 0), 24);
  desc.writeUInt32LE(num(directive, 'ebx', 0), 72);
  desc.writeUInt32LE(num(directive, 'eip', 0), 72 + 4 * 12);
  desc.writeUInt32LE(num(directive, 'esp', 0), 72 + 4 * 15);
  const header = Buffer.alloc(20);
  header.writeUInt32LE(5, 0);
  header.writeUInt32LE(desc.length, 4);
  header.writeUInt32LE(1, 8);
  header.write('CORE', 12);
  return Buffer.concat([header, desc]);
}

export function makeLime(_start: Directive, body: readonly Directive[]): Buffer {
  const pieces = body.map((directive) => {
    const first = BigInt(directive.position[0]!);
    const data = Buffer.alloc(num(directive, 'length', pageSize), contentOf(directive));
    const header = Buffer.alloc(32);
    header.write('EMiL');
    header.writeUInt32LE(num(directive, 'version', 1), 4);
    header.writeBigUInt64LE(first, 8);
    header.writeBigUInt64LE(first + BigInt(data.length) - 1n, 16);
    return Buffer.concat([header, data]);
  });
  return Buffer.concat(pieces);
}

const mkdumpKinds: readonly string[] = ['stored', 'zero', 'excluded', 'lost'];

export function makeMkdump(start: Directive, body: readonly Directive[]): Buffer {
  const rangesAt = pageSize;
  const dataAt = 2 * pageSize;
  const head = Buffer.alloc(dataAt);
  const pieces: Buffer[] = [head];
  let done = 0;
  for (const [index, directive] of body.entries()) {
    const pfns = pfnsOf(directive);
    const kind = directive.position[1]!;
    const at = rangesAt + 24 * index;
    head.writeBigUInt64LE(BigInt(pfns[0]!), at);
    head.writeBigUInt64LE(BigInt(pfns.length), at + 8);
    head.writeUInt32LE(num(directive, 'kind', mkdumpKinds.indexOf(kind)), at + 16);
    if (kind !== 'stored' && kind !== 'lost') continue;
    const data = Buffer.alloc(pfns.length * pageSize, contentOf(directive));
    pieces.push(data);
    done += data.length;
  }
  head.write('TSMKDUMP');
  head.writeUInt32LE(num(start, 'version', 1), 8);
  head.writeUInt32LE(num(start, 'status', 2), 12);
  head.writeUInt32LE(pageSize, 16);
  head.writeUInt32LE(num(start, 'level', 0), 20);
  head.writeBigUInt64LE(1700000000n, 24);
  head.writeBigUInt64LE(0xffff888000001000n, 48);
  head.writeInt32LE(num(start, 'cpu', 1), 56);
  head.writeUInt32LE(body.length, 60);
  head.writeBigUInt64LE(BigInt(rangesAt), 80);
  head.writeBigUInt64LE(BigInt(dataAt), 88);
  head.writeBigUInt64LE(BigInt(num(start, 'done', done)), 96);
  writeUtsname(head, 104);
  head.write('Recipe panic', 494);
  return Buffer.concat(pieces);
}
