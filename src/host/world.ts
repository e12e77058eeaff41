/** Everything that the rooms below are lent by Node. Built once by the package's entry. */

import { createCodecs } from '../codec/codecs.ts';
import type { Codecs } from '../codec/types.ts';
import { sha256 } from './sha256.ts';
import { nodeZlib } from './zlib.ts';

export interface World {
  readonly codecs: Codecs;
  /** The digest, 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
}

export function nodeWorld(): World {
  return { codecs: createCodecs(nodeZlib), sha256 };
}
