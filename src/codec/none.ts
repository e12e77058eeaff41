/** Pages as they are. */

import { DumpError } from '../bytes/errors.ts';
import type { Codec } from './types.ts';

export const none: Codec = {
  name: 'none',
  decompress(input, output) {
    if (input.length !== output.length) {
      throw new DumpError('corrupt', `a raw page of ${input.length} bytes, not ${output.length}`);
    }
    output.set(input);
  },
  compress: () => undefined,
};
