/** Bytes that stand for code: any change of them shows. */
export function codePattern(size: number, factor: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * factor + (at >> 8)) & 0xff);
}
