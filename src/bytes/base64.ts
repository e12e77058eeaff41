/** Base64 (RFC 4648), as JSON carries bytes. */

import { DumpError } from './errors.ts';
import { latin1, latin1Bytes } from './text.ts';

/** A multiple of three: only the last piece is padded. */
const piece = 3 * 8192;

export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += piece) {
    text += btoa(latin1(bytes.subarray(at, at + piece)));
  }
  return text;
}

/** Throws `corrupt` for what is none. */
export function bytesOfBase64(text: string): Uint8Array {
  try {
    return latin1Bytes(atob(text));
  } catch (cause) {
    throw new DumpError('corrupt', 'no base64', { cause });
  }
}
