/**
 * Raw memory has no magic. A file is taken for it where its name ends in .raw, .mem or .dd, no
 * other format knows it, and a Linux kernel's banner is found in its first GB: disk images have
 * such names too. Whoever knows better says `format: 'raw'`.
 */

import type { Source } from '../../bytes/source.ts';
import { latin1, latin1Bytes } from '../../bytes/text.ts';

const names = /\.(?:raw|mem|dd)$/i;
/** init/version.c, linux_banner. */
const banner = latin1Bytes('Linux version ');
const searched = 1024 * 1024 * 1024;
const pieceSize = 1024 * 1024;

export function detect(source: Source): boolean {
  return names.test(source.name) && hasBanner(source);
}

/** Is there a Linux kernel in it, as it lies in memory? Reads up to a GB. */
export function hasBanner(source: Source): boolean {
  const end = Math.min(source.size, searched);
  // Pieces overlap by what a banner across two of them needs.
  for (let at = 0; at < end; at += pieceSize) {
    if (holdsBanner(source.read(at, pieceSize + banner.length))) return true;
  }
  return false;
}

function holdsBanner(bytes: Uint8Array): boolean {
  const first = banner[0]!;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    // The format string of the same text has a % here.
    const after = bytes[at + banner.length];
    const isDigit = after !== undefined && after >= 0x30 && after <= 0x39;
    if (isDigit && latin1(bytes.subarray(at, at + banner.length)) === latin1(banner)) return true;
  }
  return false;
}
