/**
 * A dump over another one of the same machine: a KDUMP file whose second bitmap has only the pages
 * that changed, read together with the dump that it was made against. Registers, VMCOREINFO and
 * time are the overlay's: it was taken later.
 */

import { DumpError } from '../bytes/errors.ts';
import { DumpOver } from './dump-over.ts';
import { joinRuns } from './runs.ts';
import type { Dump, Page, PageRun, PageState } from './types.ts';

/** Takes both over: closing the result closes them. Throws `mismatch` where they do not fit. */
export function overlaid(base: Dump, overlay: Dump): Dump {
  if (base.pageSize !== overlay.pageSize || overlay.endPfn > base.endPfn) {
    const size = `${overlay.endPfn} pages of ${overlay.pageSize} bytes`;
    throw new DumpError('mismatch', `an overlay of ${size} does not fit ${base.name}`, {
      where: { file: overlay.name },
    });
  }
  const [theirs, ours] = [bootOf(base), bootOf(overlay)];
  if (theirs !== ours) {
    throw new DumpError('mismatch', `an overlay of ${ours} over ${base.name} of ${theirs}`, {
      where: { file: overlay.name },
    });
  }
  return new OverlaidDump(base, overlay);
}

/** Kernel and, where it says so, the place that this boot gave it. */
function bootOf({ uts, vmcoreinfo }: Dump): string {
  const place = /^KERNELOFFSET=(\w+)$/m.exec(vmcoreinfo ?? '')?.[1];
  return `${uts?.release}${place === undefined ? '' : ` at +0x${place}`}`;
}

class OverlaidDump extends DumpOver {
  override readonly description: string;
  override readonly endPfn: number;
  override readonly vmcoreinfo: Dump['vmcoreinfo'];
  /** What the overlay leaves out is the base's. */
  override readonly level: Dump['level'];
  readonly #base: Dump;
  readonly #overlay: Dump;

  constructor(base: Dump, overlay: Dump) {
    super(overlay);
    this.description = `${overlay.description} over ${base.name}`;
    this.endPfn = base.endPfn;
    this.vmcoreinfo = overlay.vmcoreinfo ?? base.vmcoreinfo;
    this.level = base.level;
    this.#base = base;
    this.#overlay = overlay;
  }

  override get incomplete(): string | undefined {
    const problems = [this.#base.incomplete, this.#overlay.incomplete];
    return problems.filter((problem) => problem !== undefined).join('; ') || undefined;
  }

  override state(pfn: number): PageState {
    return this.#of(pfn).state(pfn);
  }

  override readPage(pfn: number): Page {
    return this.#of(pfn).readPage(pfn);
  }

  override runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  override close(): void {
    this.#overlay.close();
    this.#base.close();
  }

  *#pages(): Generator<PageRun> {
    for (let pfn = 0; pfn < this.endPfn; pfn++) {
      yield { first: pfn, end: pfn + 1, state: this.state(pfn) };
    }
  }

  /** A page that the overlay promises and cannot give is lost: the base's is not the same. */
  #of(pfn: number): Dump {
    const state = this.#overlay.state(pfn);
    if (state === 'stored' || state === 'zero') return this.#overlay;
    const isLost = pfn < this.#overlay.endPfn && this.#overlay.readPage(pfn).problem !== undefined;
    return isLost ? this.#overlay : this.#base;
  }
}
