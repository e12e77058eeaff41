/** Changes of memory before the instant: each is listed in the report with old and new value. */

import { jsonAddress } from '../bytes/text.ts';

export interface PlannedEdit {
  readonly what: string;
  /** Virtual, through the kernel's page tables. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** Plain data, for the report. */
export interface EditNote {
  readonly what: string;
  readonly address?: string;
  /** Little-endian numbers up to 8 bytes; longer values by their size. */
  readonly before?: string;
  readonly after?: string;
}

export function editNote(edit: PlannedEdit, before: Uint8Array): EditNote {
  return {
    what: edit.what,
    address: jsonAddress(edit.address),
    before: valueText(before),
    after: valueText(edit.bytes),
  };
}

export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64Bytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

function valueText(bytes: Uint8Array): string {
  if (bytes.length > 8) return `${bytes.length} bytes`;
  const digits = [...bytes].reverse().map((byte) => byte.toString(16).padStart(2, '0'));
  return `0x${digits.join('')}`;
}
