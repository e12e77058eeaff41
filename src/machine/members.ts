/** Writing members of kernel structures at set-up, by the kernel's own types. */

import type { Machine } from './machine.ts';

/** Sets an integer or pointer member, bit-fields included; off the record: the caller notes it. */
export function setMember(
  machine: Machine,
  type: string,
  address: bigint,
  path: string,
  value: bigint,
): void {
  const { types } = machine.kernel;
  const member = types.member(type, path);
  const size = types.resolve(member.type).size;
  const at = address + BigInt(member.offset);
  const bytes = machine.virtual.read(at, size).slice();
  const shift = BigInt(member.bits?.first ?? 0);
  const width = BigInt(member.bits?.width ?? size * 8);
  const mask = ((1n << width) - 1n) << shift;
  let whole = 0n;
  for (const byte of [...bytes].reverse()) whole = (whole << 8n) | BigInt(byte);
  whole = (whole & ~mask) | ((value << shift) & mask);
  for (let index = 0; index < size; index++) {
    bytes[index] = Number((whole >> BigInt(index * 8)) & 0xffn);
  }
  machine.poke(at, bytes);
}

/** An empty struct list_head: it points to itself. */
export function setEmptyList(machine: Machine, type: string, address: bigint, path: string): void {
  const head = address + BigInt(machine.kernel.types.offsetOf(type, path));
  setMember(machine, 'struct list_head', head, 'next', head);
  setMember(machine, 'struct list_head', head, 'prev', head);
}
