/** Writes kallsyms tables as scripts/kallsyms.c lays them out, with tokens of one character. */

import type { AddressSpace } from '../../src/linux/memory.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { addressSpaceWith } from './memory.ts';

export interface SymbolToWrite {
  readonly name: string;
  readonly type: string;
  readonly address: bigint;
}

/** The tables in the orders that they have had, without the common prefix of their names. */
const orders = {
  'before-4.6': ['addresses', 'num_syms', 'names', 'markers', 'token_table', 'token_index'],
  'before-6.4': [
    ...['offsets', 'relative_base', 'num_syms', 'names', 'markers', 'token_table', 'token_index'],
  ],
  'since-6.2': [
    ...['offsets', 'relative_base', 'num_syms', 'names', 'markers', 'seqs_of_names'],
    ...['token_table', 'token_index'],
  ],
  'since-6.4': [
    ...['num_syms', 'names', 'markers', 'token_table', 'token_index', 'offsets', 'relative_base'],
  ],
} as const;
export type TableOrder = keyof typeof orders;

export interface WrittenKallsyms {
  readonly memory: AddressSpace;
  readonly vmcoreinfo: Vmcoreinfo;
}

/** Where the tables are put. */
export const imageStart = 0xffff_ffff_8200_0000n;

export function writeKallsyms(
  symbols: readonly SymbolToWrite[],
  relativeBase: bigint,
  order: TableOrder,
  absolutePerCpu: boolean,
): WrittenKallsyms {
  const markerWidth = order === 'before-4.6' ? 8 : 4;
  const tables = {
    offsets: offsets(symbols, relativeBase, absolutePerCpu),
    relative_base: u64(relativeBase),
    addresses: Uint8Array.from(symbols.flatMap(({ address }) => [...u64(address)])),
    num_syms: u32(symbols.length),
    names: names(symbols),
    markers: markers(symbols, markerWidth),
    // The order of names by their text: any three bytes a symbol serve here.
    seqs_of_names: Uint8Array.from({ length: symbols.length * 3 }, (_, at) => (at * 37) & 0xff),
    token_table: tokenTable(),
    token_index: tokenIndex(),
  };
  const bytes: number[] = [];
  let text = 'OSRELEASE=test\n';
  for (const key of orders[order]) {
    while (bytes.length % 8 !== 0) bytes.push(0);
    text += `SYMBOL(kallsyms_${key})=${(imageStart + BigInt(bytes.length)).toString(16)}\n`;
    for (const byte of tables[key]) bytes.push(byte);
  }
  // What follows in .rodata.
  bytes.push(...new Uint8Array(4096));
  return {
    memory: addressSpaceWith(imageStart, Uint8Array.from(bytes)),
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

/** Where every 256th name begins. */
function markers(symbols: readonly SymbolToWrite[], width: 4 | 8): Uint8Array {
  const bytes: number[] = [];
  for (let first = 0; first < symbols.length; first += 256) {
    const at = names(symbols.slice(0, first)).length;
    bytes.push(...(width === 8 ? u64(BigInt(at)) : u32(at)));
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
