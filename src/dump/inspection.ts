/**
 * What inspecting a file's structure gives: more of what its headers say than a Dump tells, and
 * what in them is wrong, each with its place. A file that opens may still contradict itself.
 */

import { DumpError, type Where } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';

/** One line of what the headers say, for people. */
export interface Detail {
  readonly name: string;
  readonly value: string;
}

/**
 * `damage`: bytes that contradict themselves; `cut`: the file ends, or its writer stopped, before
 * what it promises; `remark`: unusual, but every reader can cope with it.
 */
export type FindingKind = 'damage' | 'cut' | 'remark';

export interface Finding {
  readonly kind: FindingKind;
  readonly message: string;
  readonly where: Where;
}

/** `headers`: fast, whatever the size of the file; `all`: every page's descriptor or record. */
export type Depth = 'headers' | 'all';

export interface Inspection {
  readonly details: readonly Detail[];
  readonly findings: readonly Finding[];
  /** Findings beyond those that are listed. */
  readonly more: number;
  /** LKCD: page records by the header, for there is no list of pages. */
  readonly promisedPages?: number | undefined;
}

/** Of a file that is nothing but damage the first ones tell enough. */
const maxListed = 100;

/** Collects what an inspection finds. */
export class Inspector {
  readonly source: Source;
  readonly details: Detail[] = [];
  readonly findings: Finding[] = [];
  more = 0;
  promisedPages: number | undefined;

  constructor(source: Source) {
    this.source = source;
  }

  detail(name: string, value: string | number): void {
    this.details.push({ name, value: String(value) });
  }

  add(kind: FindingKind, message: string, offset?: number, pfn?: number): void {
    if (this.findings.length >= maxListed) {
      this.more++;
      return;
    }
    this.findings.push({ kind, message, where: { file: this.source.name, offset, pfn } });
  }

  /** What `read` throws is a finding, and ends the part. */
  attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const kind = error.code === 'truncated' ? 'cut' : 'damage';
      const { offset, pfn } = error.where;
      this.add(kind, error.message, offset, pfn);
    }
  }
}
