/**
 * A dump that says what another one says, but for what it has of its own: the base of wrappers,
 * which override what they change. It does not close the other.
 */

import type { DumpFacts } from './format.ts';
import type { Dump, Page, PageRun, PageState } from './types.ts';

type OwnFacts = Omit<DumpFacts, 'format'> & Pick<Dump, 'endPfn'>;

export class DumpOver implements Dump {
  readonly name: string;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly format: string;
  readonly description: string;
  readonly architecture: Dump['architecture'];
  readonly uts: Dump['uts'];
  readonly time: Dump['time'];
  readonly notes: Dump['notes'];
  readonly cpus: Dump['cpus'];
  readonly vmcoreinfo: Dump['vmcoreinfo'];
  readonly physBase: Dump['physBase'];
  readonly panic: Dump['panic'];
  readonly level: Dump['level'];
  readonly inOtherParts: Dump['inOtherParts'];
  readonly file: Dump['file'];
  readonly #of: Dump;

  /** `own`: what is said in place of the other's. */
  constructor(of: Dump, own: Partial<OwnFacts> = {}) {
    this.name = of.name;
    this.pageSize = of.pageSize;
    this.endPfn = own.endPfn ?? of.endPfn;
    this.format = of.format;
    this.description = own.description ?? of.description;
    this.architecture = own.architecture ?? of.architecture;
    this.uts = own.uts ?? of.uts;
    this.time = own.time ?? of.time;
    this.notes = own.notes ?? of.notes;
    this.cpus = own.cpus ?? of.cpus;
    this.vmcoreinfo = own.vmcoreinfo ?? of.vmcoreinfo;
    this.physBase = own.physBase ?? of.physBase;
    this.panic = own.panic ?? of.panic;
    this.level = own.level ?? of.level;
    this.inOtherParts = of.inOtherParts;
    this.file = of.file;
    this.#of = of;
  }

  /** A reader may find out later. */
  get incomplete(): string | undefined {
    return this.#of.incomplete;
  }

  state(pfn: number): PageState {
    return this.#of.state(pfn);
  }

  readPage(pfn: number): Page {
    return this.#of.readPage(pfn);
  }

  runs(): Iterable<PageRun> {
    return this.#of.runs();
  }

  close(): void {}
}
