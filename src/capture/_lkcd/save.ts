/** `lkcd save` after the reboot: what is on the dump device becomes a file, as it is. */

import type { Sink } from '../../bytes/sink.ts';
import type { Source } from '../../bytes/source.ts';
import { readHeader } from '../../dump/lkcd/header.ts';
import { dumpMagic, HeaderStart } from '../../dump/lkcd/layout.ts';
import { PageIndex } from '../../dump/lkcd/page-index.ts';
import type { AfterReboot, Saved } from '../method.ts';
import { copyTo } from '../save-file.ts';
import { deviceOffset } from './device-file.ts';

/** Undefined where the device holds no dump. */
export function saveDeviceFile({ disk }: AfterReboot, sink: Sink): Saved | undefined {
  const { name, start, size } = disk.partition('dump');
  const first = start + deviceOffset;
  const upTo = (end: number): Source => ({
    name,
    size: end,
    isQuick: true,
    read: (offset, length) =>
      disk.peek(first + offset, Math.max(0, Math.min(length, end - offset))),
    pieces: () => disk.pieces(first, end),
    close: () => {},
  });
  const device = upTo(Math.max(0, size - deviceOffset));
  const front = device.read(0, HeaderStart.size);
  if (front.length < HeaderStart.size) return undefined;
  if (HeaderStart.read(front).dh_magic !== dumpMagic) return undefined;
  const records = new PageIndex(device, readHeader(device));
  const end = records.endOffset;
  copyTo(sink, upTo(end));
  return { bytes: end, remarks: records.problem === undefined ? [] : [records.problem] };
}
