/** After the reboot: the file that the capture kernel wrote is taken from the file system. */

import type { Sink } from '../../bytes/sink.ts';
import type { Source } from '../../bytes/source.ts';
import type { AfterReboot, Saved } from '../method.ts';
import { finalName, incompleteName } from './state.ts';

const pieceSize = 1024 * 1024;

function copy(source: Source, sink: Sink): void {
  if (sink.writeKept !== undefined && source.pieces !== undefined) {
    for (const [offset, bytes] of source.pieces()) sink.writeKept(offset, [bytes]);
    return;
  }
  for (let offset = 0; offset < source.size; offset += pieceSize) {
    sink.write(offset, source.read(offset, pieceSize));
  }
}

export function saveKexec({ files }: AfterReboot, sink: Sink): Saved | undefined {
  const name = [finalName, incompleteName].find((candidate) => files.has(candidate));
  if (name === undefined) return undefined;
  const source = files.open(name);
  copy(source, sink);
  const remarks = name === incompleteName ? [`the file is still called ${incompleteName}`] : [];
  return { bytes: source.size, remarks };
}
