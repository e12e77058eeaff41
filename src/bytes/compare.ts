/** Comparing pages: four bytes at a time where both lie at a multiple of four. */

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  if (a.byteOffset % 4 !== 0 || b.byteOffset % 4 !== 0 || a.length % 4 !== 0) {
    return a.every((byte, at) => byte === b[at]);
  }
  const left = new Uint32Array(a.buffer, a.byteOffset, a.length / 4);
  const right = new Uint32Array(b.buffer, b.byteOffset, b.length / 4);
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}
