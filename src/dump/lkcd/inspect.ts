/** Inspects an LKCD file: its header, and its page records one after another. */

import { type Source, windowed } from '../../bytes/source.ts';
import { readStruct } from '../../bytes/struct.ts';
import { plural } from '../../bytes/text.ts';
import type { Depth, Inspector } from '../inspection.ts';
import { type LkcdHeader, readHeader } from './header.ts';
import { HeaderStart, HeaderV8, PageFlags, PageRecord } from './layout.ts';
import { recordFlaw } from './page-index.ts';

const windowSize = 1024 * 1024;
/** Pages of one block of PFNs that were seen; so many blocks are 8 TB of memory. */
const blockPages = 32768;
const maxBlocks = 65536;

export function inspectLkcd(inspector: Inspector, depth: Depth): void {
  inspector.attempt(() => {
    const { source } = inspector;
    const header = readHeader(source);
    const start = readStruct(source, 0, HeaderStart);
    inspector.detail('header version', header.version);
    inspector.detail('compression of the pages', header.compression);
    inspector.detail('LKCD dump level', `0x${start.dh_dump_level.toString(16)}`);
    inspector.detail('pages of memory by the header', start.dh_memory_size.toString());
    inspector.detail('first page record', `at ${header.firstRecord}`);
    if (header.version < 8) return;
    const { dh_num_pages } = readStruct(source, 0, HeaderV8);
    inspector.detail('page records by the header', dh_num_pages);
    inspector.promisedPages = dh_num_pages;
    if (depth === 'all') new Records(inspector, header).walk(dh_num_pages);
  });
  if (depth === 'headers') return;
  inspector.attempt(() => {
    const header = readHeader(inspector.source);
    if (header.version < 8) new Records(inspector, header).walk(0);
  });
}

class Records {
  readonly #inspector: Inspector;
  readonly #source: Source;
  readonly #header: LkcdHeader;
  readonly #seen = new Map<number, Uint8Array>();
  readonly #counts = { records: 0, raw: 0, zero: 0, packed: 0, passes: 1, repeated: 0 };
  #last = -1;

  constructor(inspector: Inspector, header: LkcdHeader) {
    this.#inspector = inspector;
    this.#source = windowed(inspector.source, windowSize, 2);
    this.#header = header;
  }

  /** `promised`: by the header; 0 where nobody counted. */
  walk(promised: number): void {
    const inspector = this.#inspector;
    let at: number | undefined = this.#header.firstRecord;
    while (at !== undefined) at = this.#take(at);
    const { records, raw, zero, packed, passes, repeated } = this.#counts;
    inspector.detail('page records', records);
    inspector.detail('of them', `${packed} compressed, ${raw} uncompressed, ${zero} empty (zeros)`);
    if (passes > 1) {
      inspector.detail('order', `${passes} ascending passes through memory`);
    }
    if (repeated > 0) {
      inspector.add('damage', `${plural(repeated, 'page')} recorded twice: crash stops there`);
    }
    if (promised > 0 && promised !== records) {
      const offset = HeaderV8.offsetOf('dh_num_pages');
      const kind = promised > records ? 'cut' : 'remark';
      inspector.add(
        kind,
        `the header counts ${promised} page records, there are ${records}`,
        offset,
      );
    }
  }

  /** Where the next record stands, as long as there is one. */
  #take(at: number): number | undefined {
    const inspector = this.#inspector;
    const { pageSize, addressBase } = this.#header;
    const bytes = this.#source.read(at, PageRecord.size);
    if (bytes.length < PageRecord.size) {
      inspector.add('cut', 'the file ends without an end record', inspector.source.size);
      return undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const address = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const pfn = (address - addressBase) / pageSize;
    const [size, flags] = [view.getUint32(8, true), view.getUint32(12, true)];
    if ((flags & PageFlags.end) !== 0) {
      if ((flags & PageFlags.truncated) !== 0) {
        inspector.add('cut', 'the end record says that the dump was cut short', at);
      }
      return undefined;
    }
    const flaw = recordFlaw({ pfn, size, flags }, pageSize);
    if (flaw !== undefined) {
      inspector.add('damage', `a page record that cannot be: ${flaw}`, at);
      return size <= pageSize ? at + PageRecord.size + size : undefined;
    }
    const next = at + PageRecord.size + size;
    if (next > inspector.source.size) {
      inspector.add('cut', 'the file ends inside a page', inspector.source.size, pfn);
      return undefined;
    }
    this.#count(at, pfn, size, flags);
    return next;
  }

  #count(at: number, pfn: number, size: number, flags: number): void {
    const counts = this.#counts;
    counts.records++;
    if (size === 0) counts.zero++;
    else if ((flags & PageFlags.raw) !== 0) counts.raw++;
    else counts.packed++;
    if (pfn < this.#last) counts.passes++;
    this.#last = pfn;
    const block = Math.floor(pfn / blockPages);
    let bits = this.#seen.get(block);
    if (bits === undefined) {
      if (this.#seen.size >= maxBlocks) return;
      bits = new Uint8Array(blockPages / 8);
      this.#seen.set(block, bits);
    }
    const bit = pfn % blockPages;
    const mask = 1 << (bit & 7);
    if ((bits[bit >> 3]! & mask) !== 0) {
      if (counts.repeated++ === 0) {
        this.#inspector.add('damage', 'a page that was recorded before', at, pfn);
      }
    }
    bits[bit >> 3] = bits[bit >> 3]! | mask;
  }
}
