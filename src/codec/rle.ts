/**
 * LKCD's run-length code. A byte other than 0 stands for itself. `00 00` is one zero byte,
 * `00 n v` (n > 0) is v n+1 times. Learnt from LKCD's dump_rle.c and lkcd_common.c of crash.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Codec } from './types.ts';

const longestRun = 256;

export const rle: Codec = {
  name: 'rle',

  decompress(input, size) {
    const output = new Uint8Array(size);
    let from = 0;
    let to = 0;
    while (from < input.length) {
      const byte = input[from++]!;
      let length = 1;
      let value = byte;
      if (byte === 0) {
        if (from >= input.length) throw cut();
        const count = input[from++]!;
        if (count > 0) {
          if (from >= input.length) throw cut();
          value = input[from++]!;
          length = count + 1;
        }
      }
      if (to + length > output.length) {
        throw new DumpError('corrupt', `RLE data runs past the page of ${output.length} bytes`);
      }
      output.fill(value, to, to + length);
      to += length;
    }
    if (to !== output.length) {
      throw new DumpError('corrupt', `RLE data ends after ${to} of ${output.length} bytes`);
    }
    return output;
  },

  compress(input) {
    // The longest piece is three bytes; the loop ends before a piece that might not fit.
    const packed = new Uint8Array(input.length + 3);
    let to = 0;
    for (let from = 0; from < input.length; ) {
      if (to >= input.length) return undefined;
      const value = input[from]!;
      let length = 1;
      while (length < longestRun && input[from + length] === value) length++;
      from += length;
      if (length > 2 || value === 0) {
        packed[to++] = 0;
        packed[to++] = length - 1;
        if (length > 1) packed[to++] = value;
      } else {
        for (; length > 0; length--) packed[to++] = value;
      }
    }
    return to < input.length ? packed.slice(0, to) : undefined;
  },
};

function cut(): DumpError {
  return new DumpError('corrupt', 'RLE data ends inside a run');
}
