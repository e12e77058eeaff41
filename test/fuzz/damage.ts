/** Chooses damage: the same random numbers make the same edits. */

import { applyEdit, type Edit, type PokeType } from '../recipes/edits.ts';
import type { Random } from '../support/mutate.ts';
import type { Place } from './places.ts';

/** An undamaged file. */
export interface Base {
  readonly name: string;
  /** The recipe that made it, where one did. */
  readonly recipe?: string;
  readonly bytes: Uint8Array;
  readonly places: readonly Place[];
}

const maxEdits = 12;
const limits: readonly bigint[] = [
  0n, 1n, 2n, 7n, 0x7fn, 0xffn, 0xfffn, 0x1000n, 0x1001n, 0xffffn, 0x10000n, 0x7fffffffn,
  0x80000000n, 0xffffffffn, 0x100000000n, 0xfffffffffffffn, 0x10000000000000n, 0x1fffffffffffffn,
  0x20000000000000n, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn,
  0xfffffffffffff000n,
]; // biome-ignore format: one table

/** The base with these edits; a copy. */
export function damaged(base: Base, edits: readonly Edit[]): Uint8Array {
  return edits.reduce<Uint8Array>((file, edit) => applyEdit(file, edit), base.bytes.slice());
}

/**
 * A few edits more, fewer or others than `edits`. `others`: edits that led somewhere, for the same
 * base or another.
 */
export function mutated(
  base: Base,
  edits: readonly Edit[],
  others: readonly Edit[],
  random: Random,
): Edit[] {
  let list = [...edits];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(list.length || 1);
    const choice = random.below(10);
    if (choice === 0 && others.length > 0) list.push(...others);
    else if (choice === 1 && list.length > 1) list.splice(at, 1);
    else if (choice <= 3 && list.length > 0) list[at] = changed(base, list[at]!, random);
    else list.push(newEdit(base, random));
  }
  if (list.length > maxEdits) list = list.slice(-maxEdits);
  return list;
}

/** Another value at the same place, or the same at another. */
function changed(base: Base, edit: Edit, random: Random): Edit {
  const near = (value: number): number => Math.max(0, value + random.below(17) - 8);
  if (edit.word === 'poke' && random.below(4) > 0) {
    return { ...edit, value: otherValue(base, edit.value, random) };
  }
  if ('length' in edit && random.below(2) === 0) return { ...edit, length: near(edit.length) };
  return { ...edit, at: random.below(2) === 0 ? near(edit.at) : anyOffset(base, random) };
}

function newEdit(base: Base, random: Random): Edit {
  const choice = random.below(16);
  if (choice < 10 && base.places.length > 0) return pokeAt(base, random.pick(base.places), random);
  const at = anyOffset(base, random);
  const length = 1 + random.below(random.pick([40, 40, 8192, 65536]));
  const byte = random.pick([0, 1, 0x20, 0x41, 0x7f, 0xff, random.below(256)]);
  if (choice < 12) return { word: 'poke', at, type: 'u8', value: BigInt(random.below(256)) };
  if (choice === 12) return { word: 'cut', at };
  if (choice === 13) return { word: 'fill', at, length, byte };
  if (choice === 14) return copyOfPlace(base, length, random);
  return random.below(2) === 0
    ? { word: 'insert', at, length, byte }
    : { word: 'remove', at, length };
}

/** Structures repeat, or stand in each other's place. */
function copyOfPlace(base: Base, length: number, random: Random): Edit {
  return {
    word: 'copy',
    from: anyOffset(base, random),
    length: random.pick([16, 24, 32, 56, length]),
    at: anyOffset(base, random),
  };
}

function anyOffset({ bytes, places }: Base, random: Random): number {
  if (places.length === 0 || random.below(3) === 0) return random.below(bytes.length + 1);
  return random.pick(places).at;
}

const typesOf: Readonly<Record<number, readonly [PokeType, PokeType]>> = {
  2: ['u16', 'u16'],
  4: ['u32', 'be32'],
  8: ['u64', 'be64'],
};

function pokeAt(base: Base, place: Place, random: Random): Edit {
  const { at, size, isBigEndian } = place;
  const types = typesOf[size];
  if (types === undefined) {
    const inside = at + random.below(size);
    return { word: 'poke', at: inside, type: 'u8', value: BigInt(random.below(256)) };
  }
  const view = new DataView(base.bytes.buffer, base.bytes.byteOffset, base.bytes.length);
  const isLittle = isBigEndian !== true;
  const now =
    size === 8
      ? view.getBigUint64(at, isLittle)
      : BigInt(size === 4 ? view.getUint32(at, isLittle) : view.getUint16(at, isLittle));
  const value = BigInt.asUintN(size * 8, otherValue(base, now, random));
  return { word: 'poke', at, type: types[isLittle ? 0 : 1], value };
}

function otherValue(base: Base, now: bigint, random: Random): bigint {
  const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
  const length = base.bytes.length;
  switch (random.below(9)) {
    case 0:
      return now ^ (1n << BigInt(random.below(64)));
    case 1:
      return unsigned(now + BigInt(random.below(17) - 8));
    case 2:
      return unsigned(now + BigInt(random.pick([-4096, 4096, 16, -16, 24, -24])));
    case 3:
      return unsigned(random.below(2) === 0 ? now * 2n : now / 2n);
    case 4:
      return BigInt(length + random.below(5) - 2);
    case 5:
      return BigInt(anyOffset(base, random));
    case 6:
      return BigInt(random.below(64));
    case 7:
      return now ^ (1n << BigInt(random.below(13)));
    default:
      return random.pick(limits);
  }
}
