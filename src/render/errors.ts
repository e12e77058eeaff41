/**
 * One error in the two forms of the command line: lines for people (code and message, place, hint)
 * and an object with the same fields for programs.
 */

import { type DumpError, describeWhere, type Where } from '../bytes/errors.ts';
import { jsonAddress, printable } from '../bytes/text.ts';

/**
 * ```
 * tsdump: corrupt: page descriptor 8123 says 70112 bytes, the page is 4096
 *   at vmcore.kd +0x2f91c0 (pfn 0x1fbb)
 *   hint: the rest is still readable
 * ```
 */
export function errorLines(error: DumpError): string[] {
  const lines = [`tsdump: ${error.code}: ${printable(error.message)}`];
  const place = describeWhere(error.where);
  if (place !== '') lines.push(`  at ${printable(place)}`);
  if (error.hint !== undefined) lines.push(`  hint: ${printable(error.hint)}`);
  return lines;
}

export interface JsonError {
  readonly code: string;
  readonly message: string;
  readonly where: Readonly<Record<string, string | number>>;
  readonly hint: string | null;
}

/** `where` keeps its names; addresses are hexadecimal strings. */
export function errorJson(error: DumpError): JsonError {
  return {
    code: error.code,
    message: error.message,
    where: whereJson(error.where),
    hint: error.hint ?? null,
  };
}

/** Without what is not known. */
export function whereJson(where: Where): Record<string, string | number> {
  const known: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(where)) {
    if (value === undefined) continue;
    known[key] = typeof value === 'bigint' ? jsonAddress(value) : value;
  }
  return known;
}
