/**
 * Which pages go into the dump, and what stands in it for each: the page, or a text where the page
 * tables do not lead to it.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { attempt, type DumpError } from '../../bytes/errors.ts';
import { latin1Bytes } from '../../bytes/text.ts';
import { isZeroPage } from '../../dump/content.ts';
import { dumpLevelBits } from '../../linux/pages.ts';
import { basePageSize } from '../../linux/paging.ts';
import type { Machine } from '../../machine/machine.ts';
import { type PhysicalRange, systemRam } from '../../machine/ram.ts';
import { selectPages, unknownRemarks } from '../filter.ts';
import { directMap, type MappedPages } from '../mapped-pages.ts';
import { done, failed, type StageResult } from '../method.ts';
import type { DiskdumpState } from './state.ts';

/** Pages by the direct map of the crashed kernel. */
export class DirectMap {
  readonly #pages: MappedPages;

  constructor(machine: Machine) {
    this.#pages = directMap(machine);
  }

  /** Nobody changes the bytes any more; undefined where the input does not hold the page. */
  page(pfn: number): Uint8Array | undefined {
    let problem: DumpError | undefined;
    const found = attempt(
      () => this.#pages.page(pfn),
      (error) => {
        problem = error;
      },
    );
    if (found !== undefined) return found.bytes;
    // A table that the input does not hold decides nothing.
    if (problem?.where.physical !== undefined) throw problem;
    return placeholder(pfn);
  }
}

function placeholder(pfn: number): Uint8Array {
  const page = new Uint8Array(basePageSize);
  page.set(latin1Bytes(`Unable to dump page: PFN ${pfn.toString(16)}`));
  return page;
}

export function choosePages(machine: Machine, state: DiskdumpState): StageResult {
  const { panicCpu } = machine;
  const { level } = state.options;
  const ranges = ramOf(machine);
  const top = machine.memory.endPfn * basePageSize;
  if (ranges.some(({ start, end }) => start > end || end > top)) {
    return failed('a range of System RAM makes no sense', 'iomem_resource');
  }
  const selection = selectPages(panicCpu.memory, state.layout, ranges, level);
  machine.work(selection.ram.count, machine.hardware.cpu.filterPagesPerSecond, 'filter');
  const pages = new DirectMap(machine);
  const stored = Bitmap.ofSize(selection.endPfn);
  for (let pfn = selection.kept.next(0); pfn >= 0; pfn = selection.kept.next(pfn + 1)) {
    const bytes = pages.page(pfn);
    if (bytes === undefined) continue;
    if ((level & dumpLevelBits.zero) === 0 || !isZeroPage(bytes)) stored.add(pfn);
  }
  state.selected = {
    endPfn: selection.endPfn,
    ram: selection.ram.bytes,
    ramPages: selection.ram.count,
    stored: stored.bytes,
    pages: stored.count,
  };
  state.time = machine.time;
  const remarks = unknownRemarks(selection);
  return { ...done, pages: stored.count, remarks };
}

/** As the kernel's own tree of resources has it by now. */
function ramOf({ kernel, panicCpu, ram }: Machine): readonly PhysicalRange[] {
  const { types, symbols } = kernel;
  const root = symbols.inKernel('iomem_resource');
  if (root === undefined || attempt(() => types.sizeOf('struct resource')) === undefined)
    return ram;
  return systemRam({ memory: panicCpu.memory, types }, root.address);
}
