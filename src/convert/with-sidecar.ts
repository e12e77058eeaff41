/** A file and its side file as one dump: memory from the one, all that is said of it from both. */

import { DumpError } from '../bytes/errors.ts';
import { lowerBound } from '../bytes/ranges.ts';
import { DumpOver } from '../dump/dump-over.ts';
import { joinRuns } from '../dump/runs.ts';
import type { Dump, Page, PageRun, PageState } from '../dump/types.ts';
import type { SideFacts } from './sidecar.ts';

/** Closing it closes the dump. Throws `mismatch` for a side file of other memory. */
export function withSidecar(dump: Dump, side: SideFacts): Dump {
  if (side.pageSize !== dump.pageSize) {
    const message = `the side file has pages of ${side.pageSize} bytes, the dump ${dump.pageSize}`;
    throw new DumpError('mismatch', message, { where: { file: dump.name } });
  }
  return new SidedDump(dump, side);
}

class SidedDump extends DumpOver {
  readonly #dump: Dump;
  readonly #side: SideFacts;
  readonly #ends: Float64Array;

  constructor(dump: Dump, side: SideFacts) {
    super(dump, {
      ...factsOf(dump, side),
      endPfn: side.endPfn,
      description: `${dump.description}, with its side file`,
    });
    this.#dump = dump;
    this.#side = side;
    this.#ends = Float64Array.from(side.runs, ({ end }) => end);
  }

  override get incomplete(): string | undefined {
    const said = [this.#side.incomplete, this.#dump.incomplete];
    return said.filter((problem) => problem !== undefined).join('; ') || undefined;
  }

  override state(pfn: number): PageState {
    const said = this.#said(pfn);
    return said === 'stored' ? this.#dump.state(pfn) : said;
  }

  override readPage(pfn: number): Page {
    const said = this.#said(pfn);
    return said === 'stored' ? this.#dump.readPage(pfn) : { state: said, bytes: undefined };
  }

  override runs(): Iterable<PageRun> {
    return joinRuns(this.#pieces());
  }

  override close(): void {
    this.#dump.close();
  }

  /** Where the side file says stored, the file says whether it is. */
  *#pieces(): Generator<PageRun> {
    let at = 0;
    const inFile = this.#dump.runs()[Symbol.iterator]();
    let held = inFile.next();
    for (const { first, end, state } of this.#side.runs) {
      yield { first: at, end: first, state: 'missing' };
      at = first;
      while (state === 'stored' && at < end && held.done !== true) {
        if (held.value.end <= at) {
          held = inFile.next();
          continue;
        }
        const until = Math.min(end, held.value.end);
        yield { first: at, end: until, state: held.value.state };
        at = until;
      }
      yield { first: at, end, state: state === 'stored' ? 'missing' : state };
      at = end;
    }
    yield { first: at, end: this.endPfn, state: 'missing' };
  }

  #said(pfn: number): PageState {
    const run = this.#side.runs[lowerBound(this.#ends, pfn + 1)];
    return run !== undefined && run.first <= pfn ? run.state : 'missing';
  }
}

type Facts = Pick<
  Dump,
  'architecture' | 'uts' | 'time' | 'notes' | 'cpus' | 'vmcoreinfo' | 'physBase' | 'panic' | 'level'
>;

/** What the file says itself stays where the side file says nothing. */
function factsOf(dump: Dump, side: SideFacts): Facts {
  return {
    architecture: side.architecture,
    uts: side.uts ?? dump.uts,
    time: side.time ?? dump.time,
    notes: side.notes.length > 0 ? side.notes : dump.notes,
    cpus: side.cpus.length > 0 ? side.cpus : dump.cpus,
    vmcoreinfo: side.vmcoreinfo ?? dump.vmcoreinfo,
    physBase: side.physBase ?? dump.physBase,
    panic: side.panic ?? dump.panic,
    level: side.level ?? dump.level,
  };
}
