/**
 * The crashed kernel's part: pages are compressed in the reverse order of their importance, each
 * class making room for the next, until all of memory is kept in place; then what the second boot
 * needs to find it. Nothing of a device is needed. Source: LKCD's dump_overlay.c.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { recordEncoder } from '../../dump/lkcd/write.ts';
import { millisecond } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import { without } from '../../machine/ram.ts';
import { headerOf } from '../_lkcd/content.ts';
import { packedPages } from '../_lkcd/pages.ts';
import { inDump } from '../_lkcd/panic.ts';
import { passesTo } from '../_lkcd/passes.ts';
import { execute } from '../_lkcd/resident.ts';
import { selectPages, unknownRemarks } from '../filter.ts';
import { directMap } from '../mapped-pages.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  done,
  failed,
  type Stage,
  type StageResult,
} from '../method.ts';
import type { LkcdMemState } from './state.ts';
import {
  formatName,
  Handover,
  handoverMagic,
  maxPasses,
  StoreWriter,
  schemeName,
} from './store.ts';

/** Least important first. */
export function savingStages({ level }: CaptureOptions): readonly Stage<LkcdMemState>[] {
  const passes = [...passesTo(level)].reverse();
  return [
    inDump('page classes', sortPages),
    ...passes.map(({ name }, index) =>
      inDump<LkcdMemState>(`save ${name}`, (machine, state, tools) =>
        savePass(machine, state, tools, index),
      ),
    ),
    inDump('configuration block', handOver),
  ];
}

/** Which page is of which class, while no CPU changes that. Its own area is of none. */
function sortPages(machine: Machine, state: LkcdMemState): StageResult {
  execute(machine, 'dump_page');
  const { layout, options, bootstrap } = state;
  const [start, end] = [bootstrap.kernel.start, bootstrap.store.end];
  machine.ownWrites.add("LKCD's bootstrap area", start, end - start);
  const ram = without(machine.ram, { start, end });
  let unknown = 0;
  let before: Bitmap | undefined;
  let left: Bitmap | undefined;
  const classes: Uint8Array[] = [];
  for (const { level } of passesTo(options.level)) {
    const found = selectPages(machine.panicCpu.memory, layout, ram, level);
    machine.work(found.ram.count, machine.hardware.cpu.filterPagesPerSecond, 'struct pages');
    classes.push(found.kept.bytes.map((byte, at) => byte & ~(before?.bytes[at] ?? 0)));
    unknown += found.unknown;
    before = found.kept;
    left = new Bitmap(found.ram.bytes.map((byte, at) => byte & ~found.kept.bytes[at]!));
  }
  state.classes = classes.reverse();
  // What the level leaves out need not be kept.
  if (left !== undefined) giveUp(machine, state, left, 0, left.length);
  const remarks = unknownRemarks({ unknown });
  return { ...done, remarks };
}

function savePass(
  machine: Machine,
  state: LkcdMemState,
  { codecs }: CaptureTools,
  index: number,
): StageResult {
  const { pageSize } = machine.memory;
  const pages = new Bitmap(state.classes[index]!);
  const isLast = index === state.classes.length - 1;
  const writer = new StoreWriter(machine, state, directMap(machine));
  const encode = recordEncoder();
  const pass = { start: state.store.bytes, records: [] as LkcdMemState['passes'][0]['records'] };
  state.passes.push(pass);
  let kept = 0;
  let fits = true;
  for (const page of packedPages(machine, pages, state.options.compression, codecs)) {
    if (!isLast) giveUp(machine, state, pages, kept, page.pfn);
    kept = page.pfn;
    const record = encode(page.pfn * pageSize, page.data.length, page.flags);
    fits = writer.append(record) && writer.append(page.data);
    if (!fits) break;
    pass.records.push(page);
    state.pages++;
  }
  // The kernel that still runs is not given up.
  if (fits && !isLast) giveUp(machine, state, pages, kept, pages.length);
  if (!fits || !writer.flush()) {
    const cause = `no room is left after ${state.pages} pages: they did not compress well enough`;
    return failed(cause, 'saved pages');
  }
  const bytes = state.store.bytes - pass.start;
  return { ...done, pages: pass.records.length, bytes };
}

/** Those of the pages from `first` to below `end` are kept elsewhere, or by nobody. */
function giveUp(
  { memory: { pageSize } }: Machine,
  { bootTouches, store }: LkcdMemState,
  pages: Bitmap,
  first: number,
  end: number,
): void {
  for (let pfn = pages.next(first); pfn >= 0 && pfn < end; pfn = pages.next(pfn + 1)) {
    const at = pfn * pageSize;
    if (!bootTouches.some((range) => at >= range.start && at < range.end)) store.places.push(pfn);
  }
}

/** Header, list of pages, and the block with the magic: from now on there is a dump. */
function handOver(machine: Machine, state: LkcdMemState): StageResult {
  const { store, bootstrap, passes } = state;
  const { panicCpu: cpu, kernel, memory } = machine;
  state.time = machine.time;
  const header = store.bytes;
  const writer = new StoreWriter(machine, state, directMap(machine));
  if (!writer.append(headerOf(machine, state, state.pages)) || !writer.flush()) {
    return failed('no room is left for the header', 'saved pages');
  }
  const pages = Math.ceil(store.bytes / memory.pageSize);
  const pfns = new Uint8Array(Uint32Array.from(store.places.slice(0, pages)).buffer);
  const virtual = (physical: number): bigint => cpu.pageOffset + BigInt(physical);
  cpu.write(virtual(bootstrap.list.start), pfns, 'list of saved pages');
  const padded = (values: readonly number[]): bigint[] =>
    Array.from({ length: maxPasses }, (_, index) => BigInt(values[index] ?? 0));
  const block = Handover.encode({
    magic: handoverMagic,
    scheme: schemeName,
    format: formatName,
    list: bootstrap.list.start,
    bytes: store.bytes,
    header,
    passes: passes.length,
    reserved: 0,
    starts: padded(passes.map(({ start }) => start)),
    counts: padded(passes.map(({ records }) => records.length)),
  });
  cpu.write(virtual(bootstrap.handover), block, 'dump_config_block');
  const timeout = cpu.memory.i32(kernel.symbol('panic_timeout').address);
  if (timeout > 0) machine.wait(timeout * 1000 * millisecond, 'panic_timeout');
  return { ...done, pages, bytes: store.bytes };
}
