/** Bytes that stand for the code of a method whose own is lost: any change of them shows. */
export function standInCode(size: number, factor: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * factor + (at >> 8)) & 0xff);
}
