/** Pages as they are. */

import { DumpError } from '../bytes/errors.ts';
import type { Codec } from './types.ts';

export const none: Codec = {
  name: 'none',
  decompress(input, size) {
    if (input.length !== size) {
      throw new DumpError('corrupt', `a raw page of ${input.length} bytes, not ${size}`);
    }
    return input.slice();
  },
  compress: () => undefined,
};
