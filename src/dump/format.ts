/** What a format folder hands in: how to know the file and how to read it. */

import type { Source } from '../bytes/source.ts';
import type { Codecs } from '../codec/types.ts';
import type { Dump, MemoryRange, Page, PageRun, PageState } from './types.ts';

/** What the file's headers say. */
export type DumpFacts = Pick<
  Dump,
  | 'format'
  | 'description'
  | 'architecture'
  | 'uts'
  | 'time'
  | 'notes'
  | 'cpus'
  | 'vmcoreinfo'
  | 'physBase'
  | 'panic'
  | 'level'
  | 'inOtherParts'
>;

/** The pages of a file, uncached. See MemoryImage for the meanings. */
export interface PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  /** As far as is known now: reading on may find a cut. */
  readonly incomplete: string | undefined;
  state(pfn: number): PageState;
  load(pfn: number): Page;
  /** As load, but the next call may overwrite the bytes. */
  glance?(pfn: number): Page;
  runs(): Iterable<PageRun>;
  /** See Dump. */
  lost?(): Iterable<PageRun>;
}

/**
 * A file that holds the pages of one range only, the rest being in other files: what it knows
 * beyond what a PageReader tells, which says that pages of the others are missing.
 */
export interface Part {
  /** The PFNs that this part holds. */
  readonly first: number;
  readonly end: number;
  /** How many pages of a range the whole dump has, be they here or in another part. */
  promised(first: number, end: number): number;
  /** Runs of a range, not all maximal. */
  runsIn(first: number, end: number): Iterable<PageRun>;
  /** What of a range this part should hold and does not. */
  lostIn(first: number, end: number): Iterable<PageRun>;
}

export interface OpenedFile {
  readonly facts: DumpFacts;
  readonly pages: PageReader;
  readonly part?: Part | undefined;
}

/** Facts of a file that is nothing but memory: whose, it does not say. */
export function factsOfMemory(format: string, description: string): DumpFacts {
  return {
    format,
    description,
    architecture: 'x86_64',
    uts: undefined,
    time: undefined,
    notes: [],
    cpus: [],
    vmcoreinfo: undefined,
    panic: undefined,
    level: undefined,
  };
}

export interface OpenContext {
  readonly codecs: Codecs;
  /** For a file that does not say which memory it holds. */
  readonly ranges?: readonly MemoryRange[] | undefined;
  /** Opens what a container holds; a container inside a container is `unsupported`. */
  openInner(source: Source): Promise<OpenedFile>;
}

export interface Format {
  /** The folder's name. */
  readonly name: string;
  /** By magic numbers alone; never throws for bytes that belong to another format. */
  detect(source: Source): boolean;
  open(source: Source, context: OpenContext): Promise<OpenedFile>;
}
