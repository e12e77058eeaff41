/**
 * Letters of the kernel's taint flags, bit 0 first. Source: kernel/panic.c, taint_flags[], and
 * Documentation/admin-guide/tainted-kernels.rst.
 */
const letters = 'PFSRMBUDAWCIOELKXTNJ';

/** `OE`: the letters of the bits that are set; a bit without a letter is its number. */
export function taintLetters(mask: bigint): string {
  let text = '';
  for (let bit = 0; bit < 64; bit++) {
    if ((mask & (1n << BigInt(bit))) === 0n) continue;
    text += letters[bit] ?? `(${bit})`;
  }
  return text;
}
