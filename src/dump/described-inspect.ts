/** The bitmaps and page descriptors of KDUMP and diskdump files, one by one. */

import { humanSize, plural } from '../bytes/text.ts';
import { compressionFlags, type Geometry, PageDescriptor } from './disk-dump.ts';
import type { Depth, Inspector } from './inspection.ts';

/** So many descriptors tell how pages are packed where not all of them are looked at. */
const sampled = 16 * 1024;
const descriptorsAtOnce = 4096;

interface Counts {
  raw: number;
  lost: number;
  behindEnd: number;
  shared: number;
  disordered: number;
  packed: Map<number, number>;
}

/** What descriptors refer to: most often in order and side by side. */
interface Place {
  readonly offset: number;
  readonly end: number;
}

export function inspectDescribed(inspector: Inspector, geometry: Geometry, depth: Depth): void {
  const { ram, stored, endPfn } = geometry;
  const held = geometry.held ?? { first: 0, end: endPfn };
  const before = stored.rank(held.first);
  const count = stored.rank(held.end) - before;
  inspector.detail('pages of RAM', ram.rank(endPfn));
  inspector.detail('pages with a descriptor', count);
  if (depth === 'all') checkBitmaps(inspector, geometry);
  const walk = new DescriptorWalk(inspector, geometry, count);
  const limit = depth === 'all' ? count : Math.min(count, sampled);
  walk.run(limit, held.first);
  const packing = walk.packing();
  const whole = limit === count ? '' : ` (of the first ${limit})`;
  if (packing !== '') inspector.detail('compression of the pages', `${packing}${whole}`);
  if (depth === 'all') walk.say();
}

/** A page with a descriptor that is no RAM: one of the bitmaps is damaged. */
function checkBitmaps(inspector: Inspector, { ram, stored, endPfn }: Geometry): void {
  if (ram === stored) return;
  let outside = 0;
  let first = -1;
  for (const [at, byte] of stored.bytes.entries()) {
    const wrong = byte & ~ram.bytes[at]!;
    if (wrong === 0) continue;
    if (first < 0) first = at * 8 + 31 - Math.clz32(wrong & -wrong);
    for (let rest = wrong; rest !== 0; rest &= rest - 1) outside++;
  }
  if (outside > 0) {
    const pages = plural(outside, 'page');
    const message = `${pages} of the second bitmap are no RAM in the first: one of them is damaged`;
    inspector.add('damage', message, undefined, first);
  }
  const tail = stored.next(endPfn);
  if (tail >= 0) inspector.add('remark', 'a bitmap has bits behind the last page', undefined, tail);
}

class DescriptorWalk {
  readonly #inspector: Inspector;
  readonly #geometry: Geometry;
  readonly #dataAt: number;
  readonly #counts: Counts = {
    ...{ raw: 0, lost: 0, behindEnd: 0, shared: 0, disordered: 0 },
    packed: new Map(),
  };
  #last: Place = { offset: 0, end: 0 };
  #highest = 0;

  constructor(inspector: Inspector, geometry: Geometry, count: number) {
    this.#inspector = inspector;
    this.#geometry = geometry;
    this.#dataAt = geometry.descriptorsAt + count * PageDescriptor.size;
  }

  run(limit: number, firstPfn: number): void {
    const { source } = this.#inspector;
    const { descriptorsAt, stored } = this.#geometry;
    let pfn = firstPfn - 1;
    for (let index = 0; index < limit; index += descriptorsAtOnce) {
      const wanted = Math.min(descriptorsAtOnce, limit - index);
      const at = descriptorsAt + index * PageDescriptor.size;
      const bytes = source.read(at, wanted * PageDescriptor.size);
      const there = Math.floor(bytes.length / PageDescriptor.size);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let each = 0; each < there; each++) {
        pfn = stored.next(pfn + 1);
        this.#take(view, each * PageDescriptor.size, at + each * PageDescriptor.size, pfn);
      }
      if (there < wanted) {
        const lost = plural(limit - index - there, 'page descriptor');
        const message = `the file is cut inside its page descriptors: ${lost} are missing`;
        this.#inspector.add('cut', message, source.size);
        return;
      }
    }
  }

  #take(view: DataView, at: number, where: number, pfn: number): void {
    const { source } = this.#inspector;
    const { pageSize, packingFlags } = this.#geometry;
    const offset = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    const size = view.getUint32(at + 8, true);
    const flags = (view.getUint32(at + 12, true) & packingFlags) >>> 0;
    const counts = this.#counts;
    if (offset === 0) {
      counts.lost++;
      return;
    }
    if (size === 0 || size > pageSize || ![...compressionFlags.values()].includes(flags)) {
      const claim = `${size} bytes at ${offset}, flags 0x${flags.toString(16)}`;
      this.#inspector.add('damage', `a page descriptor that cannot be: ${claim}`, where, pfn);
      return;
    }
    if (flags === 0 && size !== pageSize) {
      this.#inspector.add('damage', `a page descriptor: ${size} bytes uncompressed`, where, pfn);
    }
    counts.packed.set(flags, (counts.packed.get(flags) ?? 0) + 1);
    const place = { offset, end: offset + size };
    if (place.end > source.size) counts.behindEnd++;
    else this.#order(place, flags, where, pfn);
  }

  #order(place: Place, flags: number, where: number, pfn: number): void {
    const isSame = place.offset === this.#last.offset && place.end === this.#last.end;
    // All pages of zeros share one, which stands before all others or where the first one was met.
    const isShared = flags === 0 && place.offset >= this.#dataAt && place.end <= this.#highest;
    if (isSame || isShared || (flags === 0 && place.offset === this.#dataAt)) {
      this.#counts.shared++;
      return;
    }
    if (place.offset < this.#dataAt) {
      const message = `a page descriptor points to ${place.offset}, before the pages' data`;
      this.#inspector.add('damage', message, where, pfn);
    } else if (place.offset < this.#last.end && place.end > this.#last.offset) {
      const message = `a page descriptor points to ${place.offset}, into the page before it`;
      this.#inspector.add('damage', message, where, pfn);
    } else if (place.offset < this.#highest) {
      this.#counts.disordered++;
    }
    this.#last = place;
    this.#highest = Math.max(this.#highest, place.end);
  }

  /** `16384 zlib, 112 uncompressed`. */
  packing(): string {
    return [...compressionFlags]
      .flatMap(([name, bit]) => {
        const count = this.#counts.packed.get(bit) ?? 0;
        return count === 0 ? [] : [`${count} ${name === 'none' ? 'uncompressed' : name}`];
      })
      .join(', ');
  }

  say(): void {
    const { source } = this.#inspector;
    const { lost, behindEnd, disordered, shared } = this.#counts;
    if (shared > 0) this.#inspector.detail('pages that share their data', shared);
    if (lost > 0) {
      this.#inspector.add('cut', `${plural(lost, 'page')} lost when the file was written`);
    }
    if (behindEnd > 0) {
      const size = humanSize(source.size);
      const message = `the file is cut at ${size}: ${plural(behindEnd, 'page')} lie behind its end`;
      this.#inspector.add('cut', message, source.size);
    }
    if (disordered > 0) {
      const pages = plural(disordered, 'page');
      this.#inspector.add('remark', `${pages} stand before the data of an earlier one`);
    }
  }
}
