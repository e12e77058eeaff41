/** SHA-256 by node:crypto. */

import { createHash } from 'node:crypto';

/** The digest, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
