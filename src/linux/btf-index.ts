/**
 * Where each type of a BTF blob starts. A type has no number but its place in the row, and begins
 * where the one before it ends; so behind a lost page both have to be found again:
 *
 * - types begin where a row of them makes sense up to the next hole or the end of the section;
 * - their numbers are those with which what refers to a type finds one that may be referred to so:
 *   a function its prototype, and nothing but a declaration a function.
 *
 * Source: Documentation/bpf/btf.rst; kernel/bpf/btf.c, btf_check_meta().
 */

import { DumpError } from '../bytes/errors.ts';
import { BtfKind } from './btf-kind.ts';
import { basePageSize } from './paging.ts';
import type { Hole } from './sparse.ts';

/** The type section of a blob. */
export interface TypeSection {
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  /** Length of the strings that names are offsets in, those of the base among them. */
  readonly stringsLength: number;
  readonly firstId: number;
  readonly holes: readonly Hole[];
  /** Bytes from the start of a page of memory to the blob. */
  readonly phase: number;
}

export interface TypeIndex {
  /** Byte offset of each type in the blob; 0 for one that is lost. */
  readonly offsets: Uint32Array;
  readonly lost: number;
  /** The number of types is not known: the last ones are lost. */
  readonly isOpen: boolean;
}

/** No type is shorter than its three words. */
const leastSize = 12;
/** So many types in a row that make sense are no accident. */
const sureRun = 12;
/** References that are tried for each number that a row of types may begin with. */
const maxTried = 4000;
/** Fewer say nothing. */
const leastTried = 8;
/** After so many it is seen where most are wrong. */
const firstTried = 100;
/** In all: what takes longer is no kernel's, however damaged. */
const maxJudged = 200_000_000;
/** Where more types than these may be lost at once, their number is not looked for. */
const maxSkipped = 8192;

/** Throws `corrupt` for what is no row of types. */
export function indexTypes(section: TypeSection): TypeIndex {
  const offsets = section.holes.length > 0 ? undefined : wholeRow(section);
  if (offsets !== undefined) return { offsets, lost: 0, isOpen: false };
  const rows = [...rowsOf(section)];
  if (rows.length > 0) return new Numbering(section).run(rows);
  throw new DumpError('corrupt', 'not a single type makes sense');
}

/** Where each type starts, if they fill the section. */
function wholeRow(section: TypeSection): Uint32Array | undefined {
  const { start, end } = section;
  const offsets = new Uint32Array(Math.floor((end - start) / leastSize) + 1);
  let count = 0;
  let at = start;
  while (at + leastSize <= end) {
    const size = sizeAt(section, at);
    if (size < 0) return undefined;
    offsets[count++] = at;
    at += size;
  }
  return at === end ? offsets.slice(0, count) : undefined;
}

/** Types in a row. */
interface Row {
  readonly from: number;
  readonly offsets: readonly number[];
  readonly end: number;
}

/** Rows of types between what is lost, and between pages that hold something else. */
function* rowsOf(section: TypeSection): Generator<Row> {
  const { start, end, holes, phase } = section;
  let from = start;
  let isSure = true;
  while (from + leastSize <= end) {
    const hole = holes.find((one) => one.end > from);
    if (hole !== undefined && hole.start <= from) {
      from = aligned(hole.end, start);
      isSure = false;
      continue;
    }
    const limit = Math.min(hole?.start ?? end, end);
    const row = rowAt(section, from, limit);
    const isEnd = row.end === limit || (limit !== end && isCut(section, row.end, limit));
    if (!isSure && !isEnd && row.offsets.length < sureRun) {
      from += 4;
      continue;
    }
    isSure = false;
    if (isEnd) {
      yield row;
      from = limit;
      continue;
    }
    // What stands in the page where it ends is something else: so is what it began with.
    const page = row.end - ((row.end + phase) % basePageSize);
    const sound = row.offsets.filter((at) => at + sizeAt(section, at) <= page);
    if (sound.length > 0) {
      const last = sound.at(-1)!;
      yield { from, offsets: sound, end: last + sizeAt(section, last) };
    }
    from = aligned(Math.max(page + basePageSize, from + 4), start);
  }
}

/** Types are aligned to words. */
function aligned(offset: number, start: number): number {
  return start + Math.ceil((offset - start) / 4) * 4;
}

function rowAt(section: TypeSection, from: number, limit: number): Row {
  const offsets: number[] = [];
  let at = from;
  while (at + leastSize <= limit) {
    const size = sizeAt(section, at);
    if (size < 0 || at + size > limit) break;
    offsets.push(at);
    at += size;
  }
  return { from, offsets, end: at };
}

/** Does a type begin there whose end is behind the limit? */
function isCut(section: TypeSection, at: number, limit: number): boolean {
  return at + leastSize > limit || at + sizeAt(section, at) > limit;
}

/** Bytes of the type that begins there; -1 for what is none. */
function sizeAt({ view, stringsLength }: TypeSection, at: number): number {
  const info = view.getUint32(at + 4, true);
  // Bits 16 to 23, 29 and 30 are unused.
  if ((info & 0x60ff_0000) !== 0 || view.getUint32(at, true) >= stringsLength) return -1;
  const words = extraWords((info >>> 24) & 0x1f, info & 0xffff);
  return words < 0 ? -1 : leastSize + words * 4;
}

/** Words that follow the first three of a type; -1 for a kind that nobody knows. */
function extraWords(kind: number, length: number): number {
  switch (kind) {
    case BtfKind.int:
    case BtfKind.variable:
    case BtfKind.declarationTag:
      return 1;
    case BtfKind.array:
      return 3;
    case BtfKind.struct:
    case BtfKind.union:
    case BtfKind.dataSection:
    case BtfKind.enum64:
      return length * 3;
    case BtfKind.enum:
    case BtfKind.functionPrototype:
      return length * 2;
    case BtfKind.pointer:
    case BtfKind.forward:
    case BtfKind.typedef:
    case BtfKind.volatile:
    case BtfKind.const:
    case BtfKind.restrict:
    case BtfKind.function:
    case BtfKind.float:
    case BtfKind.typeTag:
      return 0;
    default:
      return -1;
  }
}

/** Kinds whose third word is a type, which may be void. */
const referring: ReadonlySet<number> = new Set([
  ...[BtfKind.pointer, BtfKind.typedef, BtfKind.volatile, BtfKind.const, BtfKind.restrict],
  ...[BtfKind.variable, BtfKind.functionPrototype],
]);
/** Kinds whose third word is their size. */
const sized: ReadonlySet<number> = new Set([
  ...[BtfKind.int, BtfKind.struct, BtfKind.union, BtfKind.enum, BtfKind.enum64, BtfKind.float],
]);

/** Kinds that nothing but a declaration refers to. */
const declarations: ReadonlySet<number> = new Set([
  ...[BtfKind.function, BtfKind.variable, BtfKind.dataSection, BtfKind.declarationTag],
]);

/** A type that another refers to, and as what. */
interface Reference {
  readonly id: number;
  readonly as: 'prototype' | 'type' | 'member' | 'index';
  /** Bytes up to the next member, or to the end of the struct. */
  readonly room: number;
}

class Numbering {
  readonly #section: TypeSection;
  /** By number from the first; 0 where it is not known. */
  readonly #offsets: number[] = [];
  /** The end of what has numbers. */
  #end: number;
  /** Behind it: types whose numbers nothing told, and their bytes. */
  #passed = { types: 0, bytes: 0 };
  #judged = 0;

  constructor(section: TypeSection) {
    this.#section = section;
    this.#end = section.start;
  }

  run(rows: readonly Row[]): TypeIndex {
    for (const row of rows) {
      const skipped = row.from === this.#section.start ? 0 : this.#skipped(row);
      if (skipped === undefined) {
        const { types, bytes } = this.#passed;
        const size = row.end - row.from;
        this.#passed = { types: types + row.offsets.length, bytes: bytes + size };
        continue;
      }
      for (let count = 0; count < skipped; count++) this.#offsets.push(0);
      for (const at of row.offsets) this.#offsets.push(at);
      this.#end = row.end;
      this.#passed = { types: 0, bytes: 0 };
    }
    const offsets = Uint32Array.from(this.#offsets);
    const lost = offsets.reduce((sum, at) => sum + (at === 0 ? 1 : 0), 0);
    return { offsets, lost, isOpen: this.#end !== this.#section.end };
  }

  /** How many types are lost before the row; undefined where nothing tells. */
  #skipped(row: Row): number | undefined {
    const first = this.#section.firstId + this.#offsets.length;
    const { types: least, bytes } = this.#passed;
    const most = least + Math.floor((row.from - this.#end - bytes) / leastSize);
    if (most - least > maxSkipped || this.#judged > maxJudged) return undefined;
    const references = this.#referencesOf(row);
    let best = { skipped: 0, wrong: Number.POSITIVE_INFINITY, tried: 0 };
    let second = Number.POSITIVE_INFINITY;
    for (let skipped = least; skipped <= most; skipped++) {
      const { wrong, tried } = this.#judge(row, first + skipped, references);
      this.#judged += tried;
      if (tried < leastTried) continue;
      if (wrong < best.wrong) {
        second = best.wrong;
        best = { skipped, wrong, tried };
      } else if (wrong < second) {
        second = wrong;
      }
    }
    const isSure = best.wrong * 50 <= best.tried && second > best.wrong * 4 + 1;
    return isSure ? best.skipped : undefined;
  }

  #judge(
    row: Row,
    first: number,
    references: readonly Reference[],
  ): { readonly wrong: number; readonly tried: number } {
    let wrong = 0;
    let tried = 0;
    for (const reference of references) {
      // An array that is asked for what is before its first element is slow to say no.
      const inRow = reference.id - first;
      const before = reference.id - this.#section.firstId;
      const isBefore = inRow < 0 && before >= 0;
      const at = isBefore ? this.#offsets[before] : inRow >= 0 ? row.offsets[inRow] : undefined;
      if (at === undefined || at === 0) continue;
      tried++;
      if (!this.#isRight(reference, at)) wrong++;
      if (tried === firstTried && wrong * 10 > tried) return { wrong: Infinity, tried };
    }
    return { wrong, tried };
  }

  #isRight({ as, room }: Reference, at: number): boolean {
    const kind = this.#kindAt(at);
    switch (as) {
      case 'prototype':
        return kind === BtfKind.functionPrototype;
      case 'index':
        return kind === BtfKind.int;
      case 'type':
        return !declarations.has(kind);
      case 'member': {
        if (declarations.has(kind) || kind === BtfKind.functionPrototype) return false;
        if (kind === BtfKind.pointer) return room >= 8;
        if (kind === BtfKind.forward) return false;
        return !sized.has(kind) || this.#section.view.getUint32(at + 8, true) <= room;
      }
    }
  }

  /** Some of them, from all over the row; what functions refer to says most. */
  #referencesOf({ offsets }: Row): Reference[] {
    const { view } = this.#section;
    const prototypes: Reference[] = [];
    const others: Reference[] = [];
    for (const at of offsets) {
      const id = view.getUint32(at + 8, true);
      const kind = this.#kindAt(at);
      if (kind === BtfKind.function) prototypes.push({ id, as: 'prototype', room: 0 });
      else if (referring.has(kind) && id > 0) others.push({ id, as: 'type', room: 0 });
      else if (kind === BtfKind.array) {
        others.push({ id: view.getUint32(at + 12, true), as: 'type', room: 0 });
        others.push({ id: view.getUint32(at + 16, true), as: 'index', room: 0 });
      } else if (kind === BtfKind.struct || kind === BtfKind.union) this.#addMembers(at, others);
    }
    return [...spread(prototypes, maxTried / 2), ...spread(others, maxTried / 2)];
  }

  #addMembers(at: number, into: Reference[]): void {
    const { view } = this.#section;
    const info = view.getUint32(at + 4, true);
    const length = info & 0xffff;
    const bits = view.getUint32(at + 8, true) * 8;
    const isUnion = this.#kindAt(at) === BtfKind.union;
    // Where the flag is set, the width of a bit-field stands above the offset.
    const offsetOf = (member: number): number =>
      view.getUint32(at + leastSize + member * 12 + 8, true) & (info >>> 31 ? 0xff_ffff : ~0);
    for (let member = 0; member < length; member++) {
      const id = view.getUint32(at + leastSize + member * 12 + 4, true);
      const next = isUnion || member + 1 === length ? bits : offsetOf(member + 1);
      const room = next - offsetOf(member);
      // Bit-fields share their unit with others.
      const isField = room % 8 !== 0 || offsetOf(member) % 8 !== 0;
      into.push({ id, as: isField || info >>> 31 ? 'type' : 'member', room: room / 8 });
    }
  }

  #kindAt(at: number): number {
    return (this.#section.view.getUint32(at + 4, true) >>> 24) & 0x1f;
  }
}

/** At most so many of them, at equal distances. */
function spread<T>(all: readonly T[], most: number): readonly T[] {
  const step = Math.ceil(all.length / most);
  return step <= 1 ? all : all.filter((_, index) => index % step === 0);
}
