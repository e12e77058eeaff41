/**
 * Diskdump from recipes, in both forms: see docs/reference/formats/diskdump.md.
 *
 *   diskdump form=partition machine=i386 pages=64 packed=1 partial=1 status=9 written=7 device=30
 *   registers                      the sub header's
 *   task 1 0xc1235000              of a CPU
 *   ram 9-11                       pages of RAM that are not dumped
 *   page 3 fill=0x41 as=zlib flags=3
 *   formatted 10                   as many blocks that were not reached
 *   swap                           block 0 of a swap area
 */

import {
  contentOf,
  type Directive,
  num,
  type Pack,
  packed,
  pageSize,
  pfnsOf,
  writeUtsname,
} from './directives.ts';

interface Form {
  readonly is64: boolean;
  readonly isPartition: boolean;
  /** Two bitmaps. */
  readonly isPartial: boolean;
  readonly endPfn: number;
  readonly subBlocks: number;
  readonly mapBlocks: number;
}

export function makeDiskdump(start: Directive, body: readonly Directive[], pack: Pack): Buffer {
  const endPfn = num(start, 'pages', 64);
  const form: Form = {
    is64: start.options.get('machine') !== 'i386',
    isPartition: start.options.get('form') === 'partition',
    isPartial: num(start, 'partial', 1) === 1,
    endPfn,
    subBlocks: num(start, 'sub', 1),
    mapBlocks: Math.ceil(Math.ceil(endPfn / 8) / pageSize),
  };
  const data = form.isPartition ? partitionData(start, body, pack) : fileData(form, body, pack);
  const head = [headerBlock(start, body, form), subHeader(body, form), bitmaps(start, body, form)];
  if (!form.isPartition) return Buffer.concat([...head, ...data]);
  const blocks = [blockZero(body), ...head, ...data];
  const file = Buffer.concat(blocks);
  const first = file.length / pageSize;
  const count = num(find(body, 'formatted') ?? start, 'count', 0);
  const formatted = Array.from({ length: count }, (_, index) => signedBlock(first + index));
  return Buffer.concat([file, ...formatted]);
}

function find(body: readonly Directive[], word: string): Directive | undefined {
  return body.find((directive) => directive.word === word);
}

function signedBlock(block: number): Buffer {
  const bytes = Buffer.alloc(pageSize);
  bytes.write('diskdump');
  let value = BigInt(block);
  for (let at = 8; at < pageSize; at += 4) {
    bytes.writeUInt32LE(Number(value), at);
    value = ((value + 7n) * 11n) & 0xffffffffn;
  }
  return bytes;
}

function blockZero(body: readonly Directive[]): Buffer {
  if (find(body, 'swap') === undefined) return signedBlock(0);
  const bytes = Buffer.alloc(pageSize);
  bytes.write('SWAPSPACE2', pageSize - 10);
  return bytes;
}

/** Pages of RAM, and whether each is dumped, by PFN. */
function ramOf(body: readonly Directive[]): { pfn: number; page: Directive | undefined }[] {
  return body
    .filter(({ word }) => word === 'ram' || word === 'page')
    .flatMap((directive) =>
      pfnsOf(directive).map((pfn) => ({
        pfn,
        page: directive.word === 'page' ? directive : undefined,
      })),
    )
    .sort((a, b) => a.pfn - b.pfn);
}

function headerBlock(start: Directive, body: readonly Directive[], form: Form): Buffer {
  const { is64 } = form;
  const block = Buffer.alloc(pageSize);
  block.write('DISKDUMP');
  block.writeInt32LE(num(start, 'version', 1), 8);
  writeUtsname(block, 12, start.options.get('uname') ?? (is64 ? 'x86_64' : 'i686'));
  if (start.options.has('nameless')) block.fill(0, 12, 402);
  block.writeUInt32LE(1700000000, is64 ? 408 : 404);
  const at = is64 ? 424 : 412;
  const ram = ramOf(body);
  const headers = 2 + form.subBlocks + form.mapBlocks * (form.isPartial ? 2 : 1);
  const fields = [
    num(start, 'status', 0),
    num(start, 'block', pageSize),
    form.subBlocks,
    num(start, 'maps', form.mapBlocks * (form.isPartial ? 2 : 1)),
    form.endPfn,
    num(start, 'counted', ram.length),
    num(start, 'device', 0),
    headers + num(start, 'written', 0),
    num(start, 'cpu', 0),
    num(start, 'cpus', 2),
  ];
  for (const [index, value] of fields.entries()) block.writeUInt32LE(value, at + 4 * index);
  for (const { position } of body.filter(({ word }) => word === 'task')) {
    const [cpu, task] = [Number(position[0]), BigInt(position[1]!)];
    if (is64) block.writeBigUInt64LE(task, 464 + 8 * cpu);
    else block.writeUInt32LE(Number(task), 452 + 4 * cpu);
  }
  return block;
}

/** r15 or ebx is 1; rip and rsp are what readers look for. */
function subHeader(body: readonly Directive[], form: Form): Buffer {
  const sub = Buffer.alloc(form.subBlocks * pageSize);
  if (find(body, 'registers') === undefined) return sub;
  if (form.is64) {
    sub.writeBigUInt64LE(1n, 0);
    sub.writeBigUInt64LE(0xffffffff81000000n, 16 * 8);
    sub.writeBigUInt64LE(0xffffc90000000000n, 19 * 8);
  } else {
    sub.writeUInt32LE(1, 0);
    sub.writeUInt32LE(0xc0100000, 12 * 4);
    sub.writeUInt32LE(0xc1230000, 15 * 4);
  }
  return sub;
}

function bitmaps(start: Directive, body: readonly Directive[], form: Form): Buffer {
  const size = form.mapBlocks * pageSize;
  const maps = Buffer.alloc(form.isPartial ? 2 * size : size);
  const set = (at: number, bit: number): void => {
    maps[at + (bit >> 3)] = maps[at + (bit >> 3)]! | (1 << (bit & 7));
  };
  // `known`: so many places of RAM had their bit written before the dump ended.
  const known = num(start, 'known', Number.POSITIVE_INFINITY);
  for (const [place, { pfn, page }] of ramOf(body).entries()) {
    set(0, pfn);
    if (!form.isPartial || page === undefined || place >= known) continue;
    // On a partition by place among the pages of RAM, in a file by PFN.
    set(size, form.isPartition ? place : pfn);
  }
  return maps;
}

function dataOf(page: Directive, as: string, pack: Pack): Buffer {
  const whole = packed(as, contentOf(page), pack);
  return whole.subarray(0, num(page, 'keep', whole.length));
}

/** `bytes=N`: only the first of it was written. */
function partitionData(start: Directive, body: readonly Directive[], pack: Pack): Buffer[] {
  const isPacked = (num(start, 'status', 0) & 8) !== 0;
  const pieces = ramOf(body).flatMap(({ page }) => {
    if (page === undefined) return [];
    const as = page.options.get('as') ?? (isPacked ? 'zlib' : 'raw');
    const data = dataOf(page, as, pack);
    if (!isPacked) return [data];
    const header = Buffer.alloc(16);
    header.writeUInt32LE(num(page, 'size', data.length), 8);
    header.writeUInt32LE(num(page, 'flags', as === 'raw' ? 0 : 1), 12);
    return [header, data];
  });
  const whole = Buffer.concat(pieces);
  const memory = whole.subarray(0, num(start, 'bytes', whole.length));
  const padding = Buffer.alloc((pageSize - (memory.length % pageSize)) % pageSize, 'm');
  return [memory, padding];
}

function fileData(form: Form, body: readonly Directive[], pack: Pack): Buffer[] {
  const pages = ramOf(body).filter(({ page }) => page !== undefined || !form.isPartial);
  const maps = form.mapBlocks * (form.isPartial ? 2 : 1);
  const descriptors = Buffer.alloc(24 * pages.length);
  let offset = (1 + form.subBlocks + maps) * pageSize + descriptors.length;
  const pieces: Buffer[] = [];
  for (const [index, { page }] of pages.entries()) {
    if (page === undefined) throw new Error('one bitmap: every page of RAM is dumped');
    const as = page.options.get('as') ?? 'zlib';
    const data = dataOf(page, as, pack);
    const place = page.options.has('lost') ? 0 : offset;
    descriptors.writeBigUInt64LE(BigInt(place), 24 * index);
    descriptors.writeUInt32LE(num(page, 'size', data.length), 24 * index + 8);
    descriptors.writeUInt32LE(num(page, 'flags', as === 'raw' ? 0 : 1), 24 * index + 12);
    pieces.push(data);
    offset += data.length;
  }
  return [descriptors, ...pieces];
}
