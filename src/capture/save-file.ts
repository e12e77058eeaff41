/** After the reboot: a file as it stands on a file system, or with whoever kept it. */

import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import type { Saved } from './method.ts';

/** Where files lie. */
interface Files {
  has(name: string): boolean;
  open(name: string): Source;
}

const pieceSize = 1024 * 1024;

/** The first of the names that is there: the last one is what an unfinished dump is called. */
export function saveFrom(files: Files, names: readonly string[], sink: Sink): Saved | undefined {
  const name = names.find((candidate) => files.has(candidate));
  if (name === undefined) return undefined;
  const source = files.open(name);
  copyTo(sink, source);
  const remarks = name === names.at(-1) ? [`the file is still called ${name}`] : [];
  return { bytes: source.size, remarks };
}

/** By the arrays that were written, where both sides know them. */
export function copyTo(sink: Sink, source: Source): void {
  if (sink.writeKept !== undefined && source.pieces !== undefined) {
    for (const [offset, bytes] of source.pieces()) sink.writeKept(offset, [bytes]);
    return;
  }
  for (let offset = 0; offset < source.size; offset += pieceSize) {
    sink.write(offset, source.read(offset, pieceSize));
  }
}
