/** Writes kallsyms tables as scripts/kallsyms.c lays them out, with tokens of one character. */

import type { AddressSpace } from '../../src/linux/memory.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { addressSpaceWith } from './memory.ts';

export interface SymbolToWrite {
  readonly name: string;
  readonly type: string;
  readonly address: bigint;
}

/**
 * `before-6.4`: offsets, relative_base, num_syms, names, markers, token_table, token_index.
 * `since-6.4`: num_syms, names, markers, token_table, token_index, offsets, relative_base.
 */
export type TableOrder = 'before-6.4' | 'since-6.4';

export interface WrittenKallsyms {
  readonly memory: AddressSpace;
  readonly vmcoreinfo: Vmcoreinfo;
}

const start = 0xffff_ffff_8200_0000n;

export function writeKallsyms(
  symbols: readonly SymbolToWrite[],
  relativeBase: bigint,
  order: TableOrder,
  absolutePerCpu: boolean,
): WrittenKallsyms {
  const tables: Record<string, Uint8Array> = {
    kallsyms_offsets: offsets(symbols, relativeBase, absolutePerCpu),
    kallsyms_relative_base: u64(relativeBase),
    kallsyms_num_syms: u32(symbols.length),
    kallsyms_names: names(symbols),
    kallsyms_markers: new Uint8Array(64),
    kallsyms_token_table: tokenTable(),
    kallsyms_token_index: tokenIndex(),
  };
  const keys = Object.keys(tables);
  const ordered = order === 'before-6.4' ? keys : [...keys.slice(2), ...keys.slice(0, 2)];
  const bytes: number[] = [];
  let text = 'OSRELEASE=test\n';
  for (const key of ordered) {
    while (bytes.length % 8 !== 0) bytes.push(0);
    text += `SYMBOL(${key})=${(start + BigInt(bytes.length)).toString(16)}\n`;
    bytes.push(...tables[key]!);
  }
  // What follows in .rodata.
  bytes.push(...new Uint8Array(4096));
  return {
    memory: addressSpaceWith(start, Uint8Array.from(bytes)),
    vmcoreinfo: new Vmcoreinfo(text),
  };
}

function names(symbols: readonly SymbolToWrite[]): Uint8Array {
  const bytes: number[] = [];
  for (const { name, type } of symbols) {
    const text = `${type}${name}`;
    if (text.length < 0x80) bytes.push(text.length);
    else bytes.push(0x80 | (text.length & 0x7f), text.length >> 7);
    for (const character of text) bytes.push(character.charCodeAt(0));
  }
  return Uint8Array.from(bytes);
}

function offsets(
  symbols: readonly SymbolToWrite[],
  relativeBase: bigint,
  absolutePerCpu: boolean,
): Uint8Array {
  const bytes = new Uint8Array(symbols.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, { address }] of symbols.entries()) {
    if (!absolutePerCpu) view.setUint32(index * 4, Number(address - relativeBase), true);
    else if (address < 2n ** 31n) view.setInt32(index * 4, Number(address), true);
    else view.setInt32(index * 4, Number(relativeBase - 1n - address), true);
  }
  return bytes;
}

/** Token n is the character n. */
function tokenTable(): Uint8Array {
  return Uint8Array.from({ length: 512 }, (_, at) => (at % 2 === 0 ? at / 2 : 0));
}

function tokenIndex(): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  for (let token = 0; token < 256; token++) view.setUint16(token * 2, token * 2, true);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}
