/**
 * Parts of a split dump (makedumpfile --split): each says all that the whole dump says, and holds
 * the pages of one range. Parts are put in order by their ranges, not by their names; which parts
 * are missing is told by the pages that the others promise and nobody holds.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import { plural } from '../bytes/text.ts';
import type { OpenedFile, PageReader, Part } from './format.ts';
import { joinRuns } from './runs.ts';
import type { Page, PageRun, PageState, PfnRange } from './types.ts';

export interface PartFile {
  readonly source: Source;
  readonly opened: OpenedFile;
}

/** A file by itself: where it is a part, what is not in it is missing, and that is said. */
export function alone(file: PartFile): OpenedFile {
  return file.opened.part === undefined ? file.opened : joined([file]);
}

/**
 * All parts as one file. DumpErrors: `usage` for no part at all, `mismatch` for files that are not
 * parts of one dump, or hold the same pages.
 */
export function joined(files: readonly PartFile[]): OpenedFile {
  const parts = files.map(partOf).sort((a, b) => a.part.first - b.part.first);
  const [first] = parts;
  if (first === undefined) throw new DumpError('usage', 'no part of a split dump is given');
  let end = 0;
  let last = first;
  for (const each of parts) {
    const { name } = each.source;
    if (identityOf(each) !== identityOf(first)) {
      throw new DumpError('mismatch', `not of the same dump as ${first.source.name}`, {
        where: { file: name },
        hint: 'give the parts of one dump only',
      });
    }
    if (each.part.first === each.part.end) continue;
    if (each.part.first < end) {
      throw new DumpError('mismatch', `holds pages that ${last.source.name} holds`, {
        where: { file: name },
        hint: 'give each part once',
      });
    }
    end = each.part.end;
    last = each;
  }
  const { facts } = first.opened;
  const count = plural(parts.length, 'part');
  const pages = new SplitPages(parts);
  const description = `${facts.description}, ${count} of a split dump`;
  return { facts: { ...facts, description, inOtherParts: pages.gaps }, pages };
}

interface OrderedPart {
  readonly source: Source;
  readonly opened: OpenedFile;
  readonly part: Part;
}

function partOf({ source, opened }: PartFile): OrderedPart {
  const { part } = opened;
  if (part !== undefined) return { source, opened, part };
  throw new DumpError('mismatch', 'not a part of a split dump', {
    where: { file: source.name },
    hint: 'only KDUMP files of makedumpfile --split are joined',
  });
}

/** Parts of one dump have the same headers but for the range. */
function identityOf({ opened, part }: OrderedPart): string {
  const { facts, pages } = opened;
  const { uts, time, vmcoreinfo, level, notes } = facts;
  const promised = part.promised(0, pages.endPfn);
  const size = [pages.pageSize, pages.endPfn, promised, notes.length];
  return JSON.stringify([uts, time, vmcoreinfo, level, ...size]);
}

class SplitPages implements PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #parts: readonly OrderedPart[];
  /** Ranges of PFNs that no part holds. */
  readonly gaps: readonly PfnRange[];

  constructor(parts: readonly OrderedPart[]) {
    const [first] = parts;
    this.pageSize = first!.opened.pages.pageSize;
    this.endPfn = first!.opened.pages.endPfn;
    this.#parts = parts.filter(({ part }) => part.end > part.first);
    const ends = [0, ...this.#parts.map(({ part }) => part.end)];
    const starts = [...this.#parts.map(({ part }) => part.first), this.endPfn];
    this.gaps = ends
      .map((end, index) => ({ first: end, end: starts[index]! }))
      .filter((gap) => first!.part.promised(gap.first, gap.end) > 0);
    // Of a dump whose parts all are empty, one still knows what was excluded.
    if (this.#parts.length === 0) this.#parts = parts.slice(0, 1);
  }

  get incomplete(): string | undefined {
    const missing = this.gaps.map(({ first, end }) => {
      return `no part holds pages 0x${first.toString(16)} to 0x${(end - 1).toString(16)}`;
    });
    const ofParts = this.#parts.flatMap(({ source, opened }) => {
      const { incomplete } = opened.pages;
      return incomplete === undefined ? [] : [`${source.name}: ${incomplete}`];
    });
    return [...missing, ...ofParts].join('; ') || undefined;
  }

  state(pfn: number): PageState {
    return this.#partOf(pfn).opened.pages.state(pfn);
  }

  load(pfn: number): Page {
    return this.#partOf(pfn).opened.pages.load(pfn);
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#runs());
  }

  *#runs(): Generator<PageRun> {
    let at = 0;
    for (const { part } of this.#parts) {
      // Of what lies before it, each part knows the same.
      yield* part.runsIn(at, part.end);
      at = part.end;
    }
    yield* this.#parts[0]!.part.runsIn(at, this.endPfn);
  }

  lost(): Iterable<PageRun> {
    return joinRuns(this.#lost());
  }

  *#lost(): Generator<PageRun> {
    let at = 0;
    for (const { part } of this.#parts) {
      yield* part.lostIn(at, part.end);
      at = part.end;
    }
    yield* this.#parts[0]!.part.lostIn(at, this.endPfn);
  }

  /** Of a page that is in none, any part can say why. */
  #partOf(pfn: number): OrderedPart {
    const found = this.#parts.find(({ part }) => pfn >= part.first && pfn < part.end);
    return found ?? this.#parts[0]!;
  }
}
