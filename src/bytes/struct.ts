/**
 * Binary structures declared as data: one declaration serves reader, writer and documentation.
 * A size that the specification states is checked when the module loads.
 */

import { DumpError, within } from './errors.ts';
import { readExactly, type Source } from './source.ts';
import { cstring, latin1Bytes } from './text.ts';

export interface Field<T> {
  readonly doc: string;
  readonly size: number;
  readonly align: number;
  read(view: DataView, at: number, littleEndian: boolean): T;
  write(view: DataView, at: number, value: T, littleEndian: boolean): void;
}

// biome-ignore lint/suspicious/noExplicitAny: a field of whatever type; inference restores it.
type Fields = Record<string, Field<any>>;
export type Values<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

function scalar<T>(
  size: number,
  doc: string,
  read: (view: DataView, at: number, le: boolean) => T,
  write: (view: DataView, at: number, value: T, le: boolean) => void,
): Field<T> {
  return { doc, size, align: size, read, write };
}

export const u8 = (doc: string): Field<number> =>
  scalar(
    1,
    doc,
    (v, at) => v.getUint8(at),
    (v, at, x) => v.setUint8(at, x),
  );
export const u16 = (doc: string): Field<number> =>
  scalar(
    2,
    doc,
    (v, at, le) => v.getUint16(at, le),
    (v, at, x, le) => v.setUint16(at, x, le),
  );
export const u32 = (doc: string): Field<number> =>
  scalar(
    4,
    doc,
    (v, at, le) => v.getUint32(at, le),
    (v, at, x, le) => v.setUint32(at, x, le),
  );
export const i32 = (doc: string): Field<number> =>
  scalar(
    4,
    doc,
    (v, at, le) => v.getInt32(at, le),
    (v, at, x, le) => v.setInt32(at, x, le),
  );
export const u64 = (doc: string): Field<bigint> =>
  scalar(
    8,
    doc,
    (v, at, le) => v.getBigUint64(at, le),
    (v, at, x, le) => v.setBigUint64(at, BigInt.asUintN(64, x), le),
  );
export const i64 = (doc: string): Field<bigint> =>
  scalar(
    8,
    doc,
    (v, at, le) => v.getBigInt64(at, le),
    (v, at, x, le) => v.setBigInt64(at, x, le),
  );

/** A pointer or a long of a 32-bit machine, as a bigint like its 64-bit counterpart. */
export const word32 = (doc: string): Field<bigint> =>
  scalar(
    4,
    doc,
    (v, at, le) => BigInt(v.getUint32(at, le)),
    (v, at, x, le) => v.setUint32(at, Number(BigInt.asUintN(32, x)), le),
  );

/** A 64-bit file offset, size or count as a number; above 2^53-1 it is `corrupt`. */
export const count64 = (doc: string): Field<number> =>
  scalar(
    8,
    doc,
    (view, at, le) => {
      const value = view.getBigUint64(at, le);
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new DumpError('corrupt', `${doc.split('.')[0]} is ${value}, above 2^53-1`);
      }
      return Number(value);
    },
    (view, at, value, le) => view.setBigUint64(at, BigInt(value), le),
  );

/** Text in a field of `size` bytes, up to the first NUL; written NUL-padded and cut to fit. */
export const text = (size: number, doc: string): Field<string> => ({
  doc,
  size,
  align: 1,
  read: (view, at) => cstring(new Uint8Array(view.buffer, view.byteOffset + at, size)),
  write: (view, at, value) => {
    const field = new Uint8Array(view.buffer, view.byteOffset + at, size);
    field.fill(0);
    field.set(latin1Bytes(value).subarray(0, size));
  },
});

/** Raw bytes. Reading copies. */
export const raw = (size: number, doc: string): Field<Uint8Array> => ({
  doc,
  size,
  align: 1,
  read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
  write: (view, at, value) => {
    new Uint8Array(view.buffer, view.byteOffset + at, size).set(value.subarray(0, size));
  },
});

/** `length` equal fields in a row. */
export const array = <T>(of: Field<T>, length: number): Field<T[]> => ({
  doc: of.doc,
  size: of.size * length,
  align: of.align,
  read: (view, at, le) =>
    Array.from({ length }, (_, index) => of.read(view, at + index * of.size, le)),
  write: (view, at, values, le) => {
    for (const [index, value] of values.slice(0, length).entries()) {
      of.write(view, at + index * of.size, value, le);
    }
  },
});

export interface StructOptions {
  /** What the specification says; checked at load. */
  readonly size?: number;
  /** No padding between fields. */
  readonly packed?: boolean;
  /** The widest alignment that the machine's ABI knows: 4 on i386, where u64 stands at 4 too. */
  readonly maxAlign?: number;
  readonly bigEndian?: boolean;
}

export interface Struct<F extends Fields> {
  readonly name: string;
  readonly size: number;
  readonly fields: F;
  offsetOf(field: keyof F & string): number;
  /** All fields of the structure that starts at `at`. */
  read(bytes: Uint8Array, at?: number): Values<F>;
  /** Writes the fields given, leaves the others as they are. */
  write(bytes: Uint8Array, at: number, values: Partial<Values<F>>): void;
  /** A new buffer with these fields; the others zero. */
  encode(values: Partial<Values<F>>): Uint8Array;
}

export function struct<F extends Fields>(
  name: string,
  fields: F,
  options: StructOptions = {},
): Struct<F> {
  const littleEndian = options.bigEndian !== true;
  const offsets = new Map<string, number>();
  let end = 0;
  let widest = 1;
  for (const [key, field] of Object.entries(fields)) {
    const align = options.packed === true ? 1 : Math.min(field.align, options.maxAlign ?? 16);
    end = Math.ceil(end / align) * align;
    offsets.set(key, end);
    end += field.size;
    widest = Math.max(widest, align);
  }
  const size = Math.ceil(end / widest) * widest;
  if (options.size !== undefined && options.size !== size) {
    throw new Error(`struct ${name} is ${size} bytes here, ${options.size} in its specification`);
  }
  // Page descriptors are read by the ten thousand.
  const plan = Object.entries(fields).map(([key, field]) => ({
    key,
    field,
    offset: offsets.get(key)!,
  }));
  const viewOf = (bytes: Uint8Array): DataView =>
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    name,
    size,
    fields,
    offsetOf: (field) => offsets.get(field)!,
    read(bytes, at = 0) {
      const view = viewOf(bytes);
      const values: Record<string, unknown> = {};
      for (const { key, field, offset } of plan) {
        values[key] = field.read(view, at + offset, littleEndian);
      }
      return values as Values<F>;
    },
    write(bytes, at, values) {
      const view = viewOf(bytes);
      const given: Readonly<Record<string, unknown>> = values;
      for (const { key, field, offset } of plan) {
        const value = given[key];
        if (value !== undefined) field.write(view, at + offset, value, littleEndian);
      }
    },
    encode(values) {
      const bytes = new Uint8Array(size);
      this.write(bytes, 0, values);
      return bytes;
    },
  };
}

/** Reads one structure from a source; too short is `truncated`, naming the structure. */
export function readStruct<F extends Fields>(
  source: Source,
  offset: number,
  layout: Struct<F>,
): Values<F> {
  const bytes = readExactly(source, offset, layout.size, layout.name);
  return within(layout.name, { file: source.name, offset }, () => layout.read(bytes));
}
