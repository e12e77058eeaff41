/**
 * How large a dump of each level would be, before anything is written: pages are counted by what
 * struct page says of them, some of each class are read and packed, and from those the size is
 * estimated, with an interval. The sample is drawn by a seed: the same dump, the same forecast.
 */

import type { Codec } from '../codec/types.ts';
import { isZeroPage, zeroPageOf } from '../dump/content.ts';
import type { MemoryImage } from '../dump/types.ts';
import { sharesZeros } from '../dump/writers.ts';
import { pagesByClass } from '../linux/page-filter.ts';
import type { PageKernel } from '../linux/page-layout.ts';
import { dumpLevelBits, isFiltered, PageClass, type PageClassName } from '../linux/pages.ts';

/** An estimate: in 99 of 100 cases the truth lies between the outer two. */
export interface Estimate {
  readonly low: number;
  readonly likely: number;
  readonly high: number;
}

export interface ClassForecast {
  readonly name: PageClassName;
  readonly pages: number;
  /** Of these, how many are all zeros. */
  readonly zero: Estimate;
  /** How many were read. */
  readonly sampled: number;
  /** Of one page that is not all zeros, packed; undefined where none was met. */
  readonly packedBytes: number | undefined;
}

export interface LevelForecast {
  readonly level: number;
  /** An exact number where the level keeps zero pages. */
  readonly pages: Estimate;
  /** Size of the file. */
  readonly bytes: Estimate;
}

export interface Forecast {
  readonly classes: readonly ClassForecast[];
  readonly levels: readonly LevelForecast[];
}

/**
 * What a format takes beside packed pages, in bytes. What ELF, LiME and mkdump say of each run of
 * pages is not counted: it is less than a hundredth.
 */
export interface FormatCosts {
  /** Headers, notes, bitmaps. */
  readonly fixed: number;
  /** For each page that is stored. */
  readonly page: number;
  /** For each page of zeros that is stored, all in all. */
  readonly zero: number;
  /** The same where it is known without reading. */
  readonly knownZero: number;
  /** Zero pages stay at every level: all of them are one page in the file. */
  readonly sharesZeros: boolean;
}

export interface ForecastOptions {
  readonly codec: Codec;
  readonly costs: FormatCosts;
  /** 0, 1, 2, 4, 8, 16 and 31 unless told; without a kernel those above 1 are left out. */
  readonly levels?: readonly number[];
  /** How many pages are read; 2,000 unless told. */
  readonly sample?: number;
  readonly seed?: number;
}

/**
 * What a format takes; undefined for one whose size needs no forecast or that is not known. Notes
 * are counted as a page: there is one of each CPU's registers, and VMCOREINFO.
 */
export function costsOf(format: string, image: MemoryImage, codec: Codec): FormatCosts | undefined {
  const { endPfn, pageSize } = image;
  const bitmap = Math.ceil(Math.ceil(endPfn / 8) / pageSize) * pageSize;
  const shared = { sharesZeros: sharesZeros(format) };
  switch (format) {
    case 'kdump':
    case 'diskdump':
      // Header, sub header, notes; two bitmaps; a descriptor a page, zero pages share their bytes.
      return { ...shared, fixed: 4 * pageSize + 2 * bitmap, page: 24, zero: 24, knownZero: 24 };
    case 'lkcd': {
      const zero = 16 + packedSize(zeroPageOf(pageSize), codec);
      return { ...shared, fixed: 64 * 1024, page: 16, zero, knownZero: zero };
    }
    case 'mkdump':
      return { ...shared, fixed: 4 * pageSize, page: 0, zero: pageSize, knownZero: 0 };
    case 'elf':
    case 'lime':
      return { ...shared, fixed: pageSize, page: 0, zero: pageSize, knownZero: pageSize };
    default:
      return undefined;
  }
}

function packedSize(bytes: Uint8Array, codec: Codec): number {
  return (codec.compress(bytes) ?? bytes).length;
}

const usualLevels = [0, 1, 2, 4, 8, 16, 31];
const usualSample = 2000;
/** Standard deviations to either side: 99 % of a normal distribution. */
const deviations = 2.58;

/** `kernel`: what says of pages what they are; without it they are all `unknown`. */
export function forecast(
  kernel: PageKernel | undefined,
  image: MemoryImage,
  options: ForecastOptions,
): Forecast {
  const { levels = usualLevels, sample = usualSample, seed = 0 } = options;
  const strata = new Map<PageClassName, Stratum>();
  for (const [name, pageClass] of Object.entries(PageClass)) {
    strata.set(name as PageClassName, new Stratum(pageClass, sample, seed));
  }
  const byClass = new Map([...strata.values()].map((stratum) => [stratum.pageClass, stratum]));
  for (const { first, end, pageClass, isKnownZero } of pagesByClass(kernel, image)) {
    const stratum = byClass.get(pageClass)!;
    stratum.pages += end - first;
    if (!isKnownZero) stratum.addStored(first, end);
  }
  // Half of it to each class alike, half by size: the rare ones are what high levels keep.
  const present = [...strata.values()].filter(({ stored }) => stored > 0);
  const all = present.reduce((sum, { stored }) => sum + stored, 0);
  for (const stratum of present) {
    const share = (1 / present.length + stratum.stored / all) / 2;
    stratum.read(image, options.codec, Math.ceil(sample * share));
  }
  const decidable = levels.filter((level) => kernel !== undefined || level <= dumpLevelBits.zero);
  return {
    classes: [...strata].map(([name, stratum]) => ({
      name,
      pages: stratum.pages,
      zero: estimate(stratum.zeros()),
      sampled: stratum.sampled,
      packedBytes: stratum.packedBytes,
    })),
    levels: decidable.map((level) => ofLevel(level, [...strata.values()], options.costs)),
  };
}

function ofLevel(level: number, strata: readonly Stratum[], costs: FormatCosts): LevelForecast {
  const kept = strata.filter(({ pageClass }) => !isFiltered(pageClass, level));
  const withZeros = costs.sharesZeros || (level & dumpLevelBits.zero) === 0;
  const pages = kept.map((stratum) => {
    const zeros = withZeros ? { value: 0, variance: 0, most: 0 } : stratum.zeros();
    return { ...zeros, value: stratum.pages - zeros.value, most: stratum.pages };
  });
  const stored = withZeros ? costs : { ...costs, zero: 0, knownZero: 0 };
  const bytes = kept.map((stratum) => stratum.total(stored));
  const fixed = { value: costs.fixed, variance: 0, most: costs.fixed };
  return { level, pages: estimate(...pages), bytes: estimate(fixed, ...bytes) };
}

/** A sum over pages as a sample makes it appear, and the most that it can be. */
interface Total {
  readonly value: number;
  readonly variance: number;
  readonly most: number;
}

function estimate(...totals: readonly Total[]): Estimate {
  const sum = (of: keyof Total): number => totals.reduce((all, total) => all + total[of], 0);
  const likely = sum('value');
  const reach = deviations * Math.sqrt(sum('variance'));
  const limited = (value: number): number => Math.min(Math.max(0, value), sum('most'));
  return {
    low: Math.floor(limited(likely - reach)),
    likely: Math.round(limited(likely)),
    high: Math.ceil(limited(likely + reach)),
  };
}

/** The pages of one class, of which some are looked at. */
class Stratum {
  readonly pageClass: number;
  /** In the image, zero by its index or stored. */
  pages = 0;
  stored = 0;
  readonly #draw: Draw;
  /** Bytes of each page that was read and is not all zeros. */
  readonly #sizes: number[] = [];
  #zeros = 0;
  #pageSize = 0;

  constructor(pageClass: number, most: number, seed: number) {
    this.pageClass = pageClass;
    this.#draw = new Draw(most, seed);
  }

  addStored(first: number, end: number): void {
    this.stored += end - first;
    this.#draw.add(first, end);
  }

  read(image: MemoryImage, codec: Codec, count: number): void {
    this.#pageSize = image.pageSize;
    for (const pfn of this.#draw.drawn(count)) {
      const { bytes } = image.readPage(pfn);
      // It will be lost when the dump is written, too.
      if (bytes === undefined) continue;
      if (isZeroPage(bytes)) this.#zeros++;
      else this.#sizes.push(packedSize(bytes, codec));
    }
  }

  get sampled(): number {
    return this.#sizes.length + this.#zeros;
  }

  get packedBytes(): number | undefined {
    const count = this.#sizes.length;
    if (count === 0) return undefined;
    return Math.round(this.#sizes.reduce((sum, size) => sum + size, 0) / count);
  }

  zeros(): Total {
    const known = this.pages - this.stored;
    const total = this.#scaled(
      this.#sizes.map(() => 0),
      1,
    );
    return { ...total, value: total.value + known, most: this.pages };
  }

  /** Bytes of all pages. */
  total({ page, zero, knownZero }: FormatCosts): Total {
    const known = this.pages - this.stored;
    const total = this.#scaled(
      this.#sizes.map((size) => size + page),
      zero,
    );
    const most = this.stored * Math.max(zero, this.#pageSize + page) + known * knownZero;
    return { ...total, value: total.value + known * knownZero, most };
  }

  /** From the values of the pages that were read to the sum of all stored ones. */
  #scaled(values: readonly number[], ofZero: number): Omit<Total, 'most'> {
    const count = this.sampled;
    if (count === 0) return { value: 0, variance: 0 };
    const mean = (values.reduce((sum, value) => sum + value, 0) + this.#zeros * ofZero) / count;
    const squares =
      values.reduce((sum, value) => sum + (value - mean) ** 2, 0) +
      this.#zeros * (ofZero - mean) ** 2;
    const rest = Math.max(0, 1 - count / this.stored);
    const variance = (squares / Math.max(1, count - 1) / count) * rest;
    return { value: mean * this.stored, variance: variance * this.stored ** 2 };
  }
}

/**
 * A draw without knowing how many there will be: every page gets a number by its PFN and the seed,
 * and the pages of the least numbers are drawn.
 */
class Draw {
  readonly #most: number;
  readonly #seed: number;
  #kept: { readonly pfn: number; readonly lot: number }[] = [];
  #limit = 2 ** 32;

  constructor(most: number, seed: number) {
    this.#most = most;
    this.#seed = Math.imul(seed, 0x9e37_79b9);
  }

  add(first: number, end: number): void {
    for (let pfn = first; pfn < end; pfn++) {
      const lot = this.#lot(pfn);
      if (lot < this.#limit) this.#keep(pfn, lot);
    }
  }

  /** PFNs, ascending: at most `count`. */
  drawn(count: number): number[] {
    this.#cut();
    return this.#kept
      .slice(0, count)
      .map(({ pfn }) => pfn)
      .sort((a, b) => a - b);
  }

  #keep(pfn: number, lot: number): void {
    this.#kept.push({ pfn, lot });
    if (this.#kept.length >= 2 * this.#most) this.#cut();
  }

  #cut(): void {
    this.#kept.sort((a, b) => a.lot - b.lot);
    if (this.#kept.length <= this.#most) return;
    this.#limit = this.#kept[this.#most]!.lot;
    this.#kept.length = this.#most;
  }

  /** murmur3's finalizer: near PFNs get lots that have nothing in common. */
  #lot(pfn: number): number {
    let hash = (pfn ^ Math.floor(pfn / 2 ** 32) ^ this.#seed) | 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}
