/** What a format folder hands in: how to know the file and how to read it. */

import type { Source } from '../bytes/source.ts';
import type { Codecs } from '../codec/types.ts';
import type { Dump, Page, PageRun, PageState } from './types.ts';

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
  | 'panic'
  | 'level'
>;

/** The pages of a file, uncached. See MemoryImage for the meanings. */
export interface PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  /** As far as is known now: reading on may find a cut. */
  readonly incomplete: string | undefined;
  state(pfn: number): PageState;
  load(pfn: number): Page;
  runs(): Iterable<PageRun>;
}

export interface OpenedFile {
  readonly facts: DumpFacts;
  readonly pages: PageReader;
}

export interface OpenContext {
  readonly codecs: Codecs;
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
