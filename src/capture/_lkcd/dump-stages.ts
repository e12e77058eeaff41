/**
 * Writing the dump to its device: header, passes over memory, end, header again, all through one
 * buffer. Source: LKCD's dump_execute.c, dump_scheme.c.
 */

import { PageFlags } from '../../dump/lkcd/layout.ts';
import { recordEncoder } from '../../dump/lkcd/write.ts';
import type { Machine } from '../../machine/machine.ts';
import { unknownRemarks } from '../filter.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  done,
  type Stage,
  type StageResult,
} from '../method.ts';
import { headerOf } from './content.ts';
import { type LkcdFile, orEnd, type Written } from './file.ts';
import { packedPages } from './pages.ts';
import { inDump } from './panic.ts';
import { type Pass, pagesOfPass, passesTo } from './passes.ts';
import { execute } from './resident.ts';
import type { LkcdState } from './state.ts';

const pagesPerProgress = 1024;

/** What the crashed kernel needs to know of a file that it writes itself. Plain data. */
export interface DumpState extends LkcdState, Written {
  /** By PFN: the pages that are written. */
  readonly written: Uint8Array;
}

/** The file as a stage writes on it. */
export type FileOf<State> = (machine: Machine, state: State, tools: CaptureTools) => LkcdFile;

export function dumpStages<State extends DumpState>(
  { level }: CaptureOptions,
  fileOf: FileOf<State>,
): readonly Stage<State>[] {
  return [
    inDump<State>('header', (machine, state, tools) =>
      writeHeader(machine, state, () => fileOf(machine, state, tools)),
    ),
    ...passesTo(level).map((pass) =>
      inDump<State>(pass.name, (machine, state, tools) =>
        writePass(machine, state, tools, pass, fileOf(machine, state, tools)),
      ),
    ),
    inDump<State>('end', (machine, state, tools) =>
      end(machine, state, () => fileOf(machine, state, tools)),
    ),
  ];
}

function writeHeader(machine: Machine, state: DumpState, file: () => LkcdFile): StageResult {
  return orEnd(state, () => {
    state.time = machine.time;
    // It is put together in the buffer.
    machine.panicCpu.memory.translate(state.buffer);
    file().writeHeader(headerOf(machine, state, state.pages));
    return { ...done, bytes: state.offset };
  });
}

function writePass(
  machine: Machine,
  state: DumpState,
  { codecs, progress }: CaptureTools,
  pass: Pass,
  file: LkcdFile,
): StageResult {
  execute(machine, 'dump_page');
  const { pages, unknown } = pagesOfPass(machine, state, pass, state.written);
  const encode = recordEncoder();
  const { pageSize, endPfn } = machine.memory;
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
  const remarks = unknownRemarks({ unknown });
  const counts = { pages: state.pages - before.pages, bytes: state.offset - before.offset };
  return { ...result, ...counts, remarks };
}

function end(machine: Machine, state: DumpState, fileOf: () => LkcdFile): StageResult {
  execute(machine, 'dump_end');
  return orEnd(state, () => {
    const file = fileOf();
    file.append(recordEncoder()(0, 0, PageFlags.end), new Uint8Array(0));
    file.flush();
    file.writeHeader(headerOf(machine, state, state.pages));
    return { ...done, pages: state.pages };
  });
}
