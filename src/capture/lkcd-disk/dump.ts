/**
 * Writing the dump to its device: header, passes over memory, end, header again, all through one
 * buffer. Source: LKCD's dump_execute.c, dump_scheme.c.
 */

import { PageFlags } from '../../dump/lkcd/layout.ts';
import { recordEncoder } from '../../dump/lkcd/write.ts';
import type { Machine } from '../../machine/machine.ts';
import { headerOf } from '../_lkcd/content.ts';
import { DeviceFile, orEnd } from '../_lkcd/device-file.ts';
import { packedPages } from '../_lkcd/pages.ts';
import { inDump } from '../_lkcd/panic.ts';
import { type Pass, pagesOfPass, passesTo } from '../_lkcd/passes.ts';
import { execute } from '../_lkcd/resident.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  done,
  type Stage,
  type StageResult,
} from '../method.ts';
import { blockLayer } from './block-layer.ts';
import type { LkcdDiskState } from './state.ts';

const pagesPerProgress = 1024;

export function dumpStages({ level }: CaptureOptions): readonly Stage<LkcdDiskState>[] {
  return [
    inDump('header', writeHeader),
    ...passesTo(level).map((pass) =>
      inDump<LkcdDiskState>(pass.name, (machine, state, tools) =>
        writePass(machine, state, tools, pass),
      ),
    ),
    inDump('end', end),
  ];
}

function fileOf(machine: Machine, state: LkcdDiskState): DeviceFile {
  return new DeviceFile(machine, state, blockLayer(machine, state));
}

function writeHeader(machine: Machine, state: LkcdDiskState): StageResult {
  return orEnd(state, () => {
    state.time = machine.time;
    // It is put together in the buffer.
    machine.panicCpu.memory.translate(state.buffer);
    fileOf(machine, state).writeHeader(headerOf(machine, state, state.pages));
    return { ...done, bytes: state.offset };
  });
}

function writePass(
  machine: Machine,
  state: LkcdDiskState,
  { codecs, progress }: CaptureTools,
  pass: Pass,
): StageResult {
  execute(machine, 'dump_page');
  const { pages, unknown } = pagesOfPass(machine, state, pass, state.written);
  const encode = recordEncoder();
  const { pageSize, endPfn } = machine.memory;
  const file = fileOf(machine, state);
  const before = { pages: state.pages, offset: state.offset };
  const { compression } = state.options;
  const result = orEnd(state, () => {
    for (const { pfn, flags, data } of packedPages(machine, pages, compression, codecs)) {
      file.append(encode(pfn * pageSize, data.length, flags), data);
      state.written[pfn >> 3]! |= 1 << (pfn & 7);
      state.pages++;
      if (state.pages % pagesPerProgress === 0) progress?.(state.pages, endPfn);
    }
    file.flush();
    return done;
  });
  const remarks = unknown > 0 ? [`${unknown} page frames without a readable struct page`] : [];
  const counts = { pages: state.pages - before.pages, bytes: state.offset - before.offset };
  return { ...result, ...counts, remarks };
}

function end(machine: Machine, state: LkcdDiskState): StageResult {
  execute(machine, 'dump_end');
  return orEnd(state, () => {
    const file = fileOf(machine, state);
    file.append(recordEncoder()(0, 0, PageFlags.end), new Uint8Array(0));
    file.flush();
    file.writeHeader(headerOf(machine, state, state.pages));
    return { ...done, pages: state.pages };
  });
}
