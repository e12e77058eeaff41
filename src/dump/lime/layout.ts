/**
 * LiME: ranges of physical memory, each behind a header of its own, ascending. There is nothing
 * else: no registers, no notes, no end. AVML without compression writes the same.
 *
 * Source: LiME src/lime.h, `lime_mem_range_header`, and doc/README.md.
 */

import { count64, raw, struct, u32 } from '../../bytes/struct.ts';

/** "EMiL" in the file. */
export const limeMagic = 0x4c694d45;
export const limeVersion = 1;

export const LimeHeader = struct(
  'lime_mem_range_header',
  {
    magic: u32('0x4c694d45.'),
    version: u32('1.'),
    s_addr: count64('Physical address of the first byte.'),
    e_addr: count64('Physical address of the last byte.'),
    reserved: raw(8, 'Zeros.'),
  },
  { size: 32, packed: true },
);
