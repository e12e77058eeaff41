/**
 * Ours: LKCD and diskdump have no place for VMCOREINFO, without which a kernel with KASLR cannot be
 * understood, nor for a filter by classes of pages. This block stands in the unused zeros of their
 * header areas, at a multiple of `align`. Other readers do not look there. See ADR 6.
 */

import { raw, struct, u32 } from '../bytes/struct.ts';
import { cstring, encodeUtf8, latin1, latin1Bytes } from '../bytes/text.ts';

const Block = struct(
  'tsdump VMCOREINFO block',
  {
    magic: raw(12, '"TSDUMP-VMCI", NUL-padded.'),
    size: u32('Bytes of text that follow; 0 where it is in the dumped memory only.'),
    level: u32("makedumpfile's filter bits that the pages were chosen by."),
    reserved: raw(12, 'Zeros.'),
  },
  { size: 32 },
);
const magicText = 'TSDUMP-VMCI\0';
const align = 16;

interface OwnFacts {
  readonly vmcoreinfo: string | undefined;
  readonly level: number | undefined;
}

/** The block in a header area; nothing for files of others. */
export function readOwnBlock(area: Uint8Array): OwnFacts {
  for (let at = 0; at + Block.size <= area.length; at += align) {
    if (area[at] !== magicText.charCodeAt(0)) continue;
    const { magic, size, level } = Block.read(area, at);
    const textAt = at + Block.size;
    if (latin1(magic) !== magicText || textAt + size > area.length) continue;
    const text = cstring(area.subarray(textAt, textAt + size));
    return { vmcoreinfo: size === 0 ? undefined : text, level };
  }
  return { vmcoreinfo: undefined, level: undefined };
}

/** Bytes that the block may take, wherever it has to start. */
export function ownBlockSize(vmcoreinfo = ''): number {
  return align + Block.size + encodeUtf8(vmcoreinfo).length;
}

/** Without the text where it does not fit: it is in the dumped memory as well. */
export function writeOwnBlock(
  area: Uint8Array,
  from: number,
  vmcoreinfo: string | undefined,
  level: number,
): void {
  const at = Math.ceil(from / align) * align;
  const room = area.length - at - Block.size;
  if (room < 0) return;
  const text = encodeUtf8(vmcoreinfo ?? '');
  const size = text.length > room ? 0 : text.length;
  Block.write(area, at, { magic: latin1Bytes(magicText), size, level });
  area.set(text.subarray(0, size), at + Block.size);
}
