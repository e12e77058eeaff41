/** Columns as crash lays them out, for what is printed line for line as it prints it. */

/** In the middle of `width`; an odd blank goes to the right. */
export function centered(text: string, width: number): string {
  return text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width);
}

/** In the middle of `width`; an odd blank goes to the left. */
export function centeredRight(text: string, width: number): string {
  return text.padStart(text.length + Math.ceil((width - text.length) / 2)).padEnd(width);
}

/** Hexadecimal without leading zeros. */
export function hex(value: bigint | number): string {
  return value.toString(16);
}
