/** Text in binary data, and numbers as the field writes them. */

const utf8 = new TextDecoder('utf-8');
const encoder = new TextEncoder();

/** Bytes up to the first NUL as UTF-8; what is not UTF-8 becomes U+FFFD. */
export function cstring(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

export function decodeUtf8(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One byte a character; characters above 0xff become `?`. */
export function latin1Bytes(value: string): Uint8Array {
  return Uint8Array.from(value, (character) => {
    const code = character.codePointAt(0)!;
    return code > 0xff ? 0x3f : code;
  });
}

/** One character a byte: for magics and for comparing bytes with ASCII. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** `0x0000000000001000`: how JSON carries an address. */
export function jsonAddress(address: bigint): string {
  return `0x${hex16(address)}`;
}

/** `ffffffff81000000`: how crash prints an address. */
export function hex16(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16).padStart(16, '0');
}

/** `4.1 MB`: a size for people; binary multiples, as the field counts memory. */
export function humanSize(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}

/** `1 page`, `2 pages`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * Text out of a dump on its way to a terminal: control characters (escape sequences above all)
 * become dots, as crash prints them. Tabs stay.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '.');
}

/** A word as a shell takes it: in quotes where it has to be. */
export function shellWord(word: string): string {
  return /^[\w./+,:=@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
