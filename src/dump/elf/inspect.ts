/** Inspects an ELF vmcore: program headers, where they lie in the file and in memory. */

import { firstWins } from '../../bytes/ranges.ts';
import { hex16, plural } from '../../bytes/text.ts';
import type { Depth, Inspector } from '../inspection.ts';
import { maxNotesSize, parseNotes } from '../notes.ts';
import { Elf64Header, flagIncomplete, PT_LOAD, PT_NOTE } from './layout.ts';
import { type ProgramHeader, readProgramHeaders } from './program-headers.ts';
import { classOf, readHeader } from './read.ts';

/** Segments that the details list. */
const listed = 16;

export function inspectElf(inspector: Inspector, _depth: Depth): void {
  inspector.attempt(() => {
    const { source } = inspector;
    const elfClass = classOf(source);
    const header = readHeader(source, elfClass);
    const { headers: phdrs, doubts } = readProgramHeaders(source, elfClass, header);
    const loads = phdrs.filter(({ type }) => type === PT_LOAD);
    inspector.detail('class', `ELF${elfClass.bits}, little endian`);
    inspector.detail('program headers', `${phdrs.length} at ${header.phoff}`);
    for (const { offset, fileSize } of phdrs.filter(({ type }) => type === PT_NOTE)) {
      inspector.detail('ELF notes', `${fileSize} bytes at ${offset}`);
      const there = Math.max(0, Math.min(fileSize, maxNotesSize, source.size - offset));
      const { problem } = parseNotes(source.read(offset, there));
      const isWhole = there === fileSize;
      if (problem !== undefined && isWhole) {
        inspector.add('damage', `ELF notes: ${problem}`, offset);
      }
    }
    for (const { physical, offset, fileSize, memorySize } of loads.slice(0, listed)) {
      const filtered = memorySize > fileSize ? ` of ${memorySize}` : '';
      const value = `0x${hex16(BigInt(physical))}: ${fileSize}${filtered} bytes at ${offset}`;
      inspector.detail('segment', value);
    }
    if (loads.length > listed) inspector.detail('segment', `and ${loads.length - listed} more`);
    if ((header.flags & flagIncomplete) !== 0) {
      const message = 'the header says incomplete: the writer ran out of space';
      inspector.add('cut', message, Elf64Header.offsetOf('e_flags'));
    }
    for (const { kind, message } of doubts) inspector.add(kind, message, header.phoff);
    checkPlaces(inspector, phdrs);
    checkOverlaps(inspector, loads);
  });
}

function checkPlaces(inspector: Inspector, phdrs: readonly ProgramHeader[]): void {
  const { size } = inspector.source;
  for (const [index, { type, offset, fileSize }] of phdrs.entries()) {
    if (type !== PT_LOAD && type !== PT_NOTE) continue;
    const what = type === PT_LOAD ? 'segment' : 'notes';
    if (fileSize === 0 || offset + fileSize <= size) continue;
    const message = `${what} of program header ${index}: ${fileSize} bytes at ${offset}`;
    if (offset > size) inspector.add('cut', `${message} lie behind the end of the file`, offset);
    else inspector.add('cut', `${message} end behind the end of the file`, size);
  }
}

/**
 * In memory they may: /proc/vmcore has the kernel's text twice, QEMU's paging dumps have most pages
 * several times. In the file only those that are the same memory may.
 */
function checkOverlaps(inspector: Inspector, loads: readonly ProgramHeader[]): void {
  const inMemory = hiddenSegments(loads);
  if (inMemory > 0) {
    const message = `${plural(inMemory, 'segment')} of memory that earlier ones have, too`;
    inspector.add('remark', message);
  }
  const inFile = loads.filter(({ fileSize }) => fileSize > 0);
  inFile.sort((one, other) => one.offset - other.offset);
  const clash = inFile.find((load, index) => {
    const before = inFile[index - 1];
    const isBehind = before === undefined || load.offset >= before.offset + before.fileSize;
    return !isBehind && load.offset - load.physical !== before.offset - before.physical;
  });
  if (clash === undefined) return;
  inspector.add('damage', 'segments of different memory overlap in the file', clash.offset);
}

/** How many have memory that an earlier one has, too. */
function hiddenSegments(loads: readonly ProgramHeader[]): number {
  const starts = loads.map(({ physical }) => physical);
  const ends = loads.map(({ physical, fileSize }) => physical + fileSize);
  const { start, end, owner } = firstWins(starts, ends);
  const left = new Map<number, number>();
  for (const [piece, index] of owner.entries()) {
    left.set(index, (left.get(index) ?? 0) + end[piece]! - start[piece]!);
  }
  return loads.filter(({ fileSize }, index) => (left.get(index) ?? 0) < fileSize).length;
}
