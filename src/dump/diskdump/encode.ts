/** Diskdump's two headers as bytes, for both forms. */

import { DumpError } from '../../bytes/errors.ts';
import { encodeWords, userRegs, wordSize } from '../architecture.ts';
import type { DumpContent } from '../content.ts';
import { DiskDumpHeaders, diskdumpSignature } from '../disk-dump.ts';
import { ownBlockSize, writeOwnBlock } from '../own-block.ts';
import { NewUtsname } from '../utsname.ts';
import { DumpStatus } from './layout.ts';

export interface DiskdumpOptions {
  readonly compression: 'none' | 'zlib';
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
}

/** What the main header says of the rest. */
export interface Extent {
  readonly status: number;
  readonly subHeaderBlocks: number;
  readonly bitmapBlocks: number;
  readonly ramPages: number;
  readonly deviceBlocks: number;
  readonly writtenBlocks: number;
}

const headerVersion = 1;
const maxPages = 0xffffffff;

/** The block of the main header. `unsupported` for what its fields cannot hold. */
export function encodeMainHeader(
  content: DumpContent,
  { compression }: DiskdumpOptions,
  extent: Extent,
): Uint8Array {
  const { architecture = 'x86_64', image, panic } = content;
  const layout = DiskDumpHeaders[architecture];
  const block = new Uint8Array(image.pageSize);
  if (image.endPfn > maxPages) {
    throw new DumpError('unsupported', `diskdump has no place for ${image.endPfn} pages`, {
      hint: 'write a KDUMP file instead',
    });
  }
  const slots = Math.max(1, content.cpus.length, panic === undefined ? 0 : panic.cpu + 1);
  const room = Math.floor((block.length - layout.size) / wordSize[architecture]);
  if (slots > room) {
    throw new DumpError('unsupported', `${slots} CPUs: diskdump has place for ${room}`, {
      hint: 'write a KDUMP file instead',
    });
  }
  const seconds = Math.floor(content.time);
  layout.write(block, 0, {
    signature: diskdumpSignature,
    header_version: headerVersion,
    utsname: NewUtsname.encode(content.uts),
    tv_sec: BigInt(seconds),
    tv_usec: BigInt(Math.round((content.time - seconds) * 1e6)),
    status: extent.status | (compression === 'zlib' ? DumpStatus.compressed : 0),
    block_size: image.pageSize,
    sub_hdr_size: extent.subHeaderBlocks,
    bitmap_blocks: extent.bitmapBlocks,
    max_mapnr: Math.max(1, image.endPfn),
    total_ram_blocks: extent.ramPages,
    device_blocks: extent.deviceBlocks,
    written_blocks: extent.writtenBlocks,
    current_cpu: panic?.cpu ?? 0,
    nr_cpus: slots,
  });
  block.set(encodeWords(tasksOf(content, slots), architecture), layout.size);
  return block;
}

/** By CPU number; readers take that of the CPU that dumped for the panicking one. */
function tasksOf({ cpus, panic }: DumpContent, slots: number): bigint[] {
  return Array.from({ length: slots }, (_, cpu) =>
    cpu === panic?.cpu ? panic.task : (cpus[cpu]?.task ?? 0n),
  );
}

/** The registers of the CPU that dumped, and our own block behind them. */
export function encodeSubHeader(content: DumpContent, level: number): Uint8Array {
  const { architecture = 'x86_64', cpus, panic, vmcoreinfo } = content;
  const registers = cpus[panic?.cpu ?? 0]?.registers;
  const words = userRegs[architecture].map((name) => registers?.[name] ?? 0n);
  const bytes = encodeWords(words, architecture);
  const subHeader = new Uint8Array(bytes.length + ownBlockSize(vmcoreinfo));
  subHeader.set(bytes);
  writeOwnBlock(subHeader, bytes.length, vmcoreinfo, level);
  return subHeader;
}
