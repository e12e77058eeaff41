/**
 * Flattened format: a dump for a pipe, that cannot seek. A header of 4096 bytes, then records of
 * any order, each with the offset at which its payload belongs in the real file; a record of -1, -1
 * ends it. All numbers are big endian. Bytes between records are zero.
 *
 * Source: makedumpfile makedumpfile.h, struct makedumpfile_header and makedumpfile_data_header.
 */

import { i64, struct, text } from '../../bytes/struct.ts';

export const signature = 'makedumpfile';
export const headerSize = 4096;
export const flatType = 1n;
export const flatVersion = 1n;

export const FlatHeader = struct(
  'makedumpfile_header',
  {
    signature: text(16, '"makedumpfile", NUL-padded.'),
    type: i64('1.'),
    version: i64('1; nobody checks it.'),
  },
  { size: 32, bigEndian: true },
);

export const FlatRecord = struct(
  'makedumpfile_data_header',
  {
    offset: i64('Where the payload belongs; -1 ends the file.'),
    buf_size: i64('Length of the payload; -1 ends the file.'),
  },
  { size: 16, bigEndian: true },
);
