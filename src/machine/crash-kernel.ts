/**
 * The crash kernel of a machine, as `kexec -p` leaves one. One that is loaded and wholly in the
 * image is taken as it is; where its reserved region is not in the image (a /proc/vmcore never
 * holds it) ours goes into that region; where none is loaded, ours goes into free blocks, else into
 * RAM added above the top. Source: kernel/kexec_core.c, include/linux/kexec.h.
 */

import { DumpError } from '../bytes/errors.ts';
import type { PageLayout } from '../linux/page-layout.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { elfcoreBytes } from './crash-content.ts';
import { placeCrashImage } from './crash-image.ts';
import { isElfCore } from './elfcore.ts';
import type { Machine } from './machine.ts';
import { type DigestTable, findDigestTable, type Segment } from './purgatory.ts';
import type { PhysicalRange } from './ram.ts';
import { type RegionOrigin, takeRegion } from './region.ts';

/** Plain data. Physical addresses are numbers, virtual ones bigints. */
export interface CrashKernel {
  readonly origin: 'loaded' | 'reserved region' | RegionOrigin;
  readonly region: PhysicalRange;
  /** The struct kimage. */
  readonly image: bigint;
  readonly segments: readonly Segment[];
  readonly elfcore: PhysicalRange;
  /** Undefined: no purgatory with a table was found, nothing is checked before the boot. */
  readonly digest: DigestTable | undefined;
}

/** KEXEC_SEGMENT_MAX, include/linux/kexec.h. */
const maxSegments = 16;

/**
 * Finds the loaded crash kernel, or places ours, with so many bytes of its region left free. Every
 * change is noted as a set-up edit.
 */
export function crashKernelOf(machine: Machine, layout: PageLayout, room = 0): CrashKernel {
  refuseNewerJump(machine);
  const reserve = reservedRegion(machine);
  const image = loadedImage(machine);
  if (image !== 0n && reserve !== undefined) {
    const segments = segmentsOf(machine, image);
    if (segments !== undefined) {
      const elfcore = elfcoreIn(machine, segments) ?? addElfcore(machine, reserve, segments);
      const digest = findDigestTable(machine, segments);
      return { origin: 'loaded', region: reserve, image, segments, elfcore, digest };
    }
    return { origin: 'reserved region', ...placeCrashImage(machine, layout, reserve, image) };
  }
  if (reserve !== undefined) {
    return { origin: 'reserved region', ...placeCrashImage(machine, layout, reserve, undefined) };
  }
  const region = takeRegion(
    machine,
    layout,
    regionSize(machine) + room,
    'region of the crash kernel',
  );
  return { origin: region.origin, ...placeCrashImage(machine, layout, region, undefined) };
}

/**
 * Since v6.14 (6a750b4c0099 "x86/kexec: Copy control page into place in machine_kexec_prepare()")
 * relocate_kernel is copied when the image is loaded and runs from there: another jump.
 */
function refuseNewerJump(machine: Machine): void {
  if (machine.kernel.symbols.inKernel('__relocate_kernel_start') === undefined) return;
  throw new DumpError('unsupported', "the jump of kexec in v6.14 and later isn't emulated yet", {
    where: { file: machine.name },
    hint: 'the method `mkdump` needs nothing of it',
  });
}

/** Working memory of the capture kernel besides the filter's two bitmaps: buffers, code, stack. */
export const captureBuffers = 512 * 1024;

/** What the capture kernel's dump tool needs at least, bytes. */
export function captureMemory(machine: Machine): number {
  return captureBuffers + 2 * Math.ceil(machine.memory.endPfn / 8);
}

function regionSize(machine: Machine): number {
  const top = Math.max(...machine.ram.map((range) => range.end));
  // Identity map: one table a gigabyte and some above; 128 KB for segments and control pages.
  const tables = (Math.ceil(top / 2 ** 30) + 8) * 4096;
  return Math.ceil((captureMemory(machine) + tables + 128 * 1024) / 65536) * 65536;
}

function loadedImage(machine: Machine): bigint {
  const pointer = machine.kernel.symbols.inKernel('kexec_crash_image');
  if (pointer === undefined) {
    throw new DumpError('unsupported', 'this kernel was built without kexec', {
      where: { file: machine.name },
      hint: 'the method `mkdump` needs nothing of it',
    });
  }
  return machine.virtual.u64(pointer.address);
}

/** crashk_res, the "Crash kernel" entry of /proc/iomem; undefined where nothing is reserved. */
function reservedRegion(machine: Machine): PhysicalRange | undefined {
  const symbol = machine.kernel.symbols.inKernel('crashk_res');
  if (symbol === undefined) return undefined;
  const resource = machine.object('struct resource', symbol.address);
  const start = Number(resource.start);
  const end = Number(resource.end) + 1;
  return end - start > 1 ? { start, end } : undefined;
}

/** The loaded segments; undefined where one of their pages is not in the image. */
function segmentsOf(machine: Machine, image: bigint): Segment[] | undefined {
  try {
    const kimage = machine.object('struct kimage', image);
    const count = Math.min(Number(kimage.nr_segments), maxSegments);
    const segments = Array.from({ length: count }, (_, index): Segment => {
      const segment = kimage.segment[index];
      return { start: Number(segment.mem), size: Number(segment.memsz) };
    });
    return count > 0 && segments.every((segment) => isPresent(machine, segment))
      ? segments
      : undefined;
  } catch (error) {
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

function isPresent(machine: Machine, segment: Segment): boolean {
  const { memory } = machine;
  const end = Math.ceil((segment.start + segment.size) / memory.pageSize);
  if (end > memory.endPfn) return false;
  for (let pfn = Math.floor(segment.start / memory.pageSize); pfn < end; pfn++) {
    const state = memory.state(pfn);
    if (state !== 'stored' && state !== 'zero') return false;
  }
  return true;
}

/** The segment that starts with an ELF core header. */
function elfcoreIn(machine: Machine, segments: readonly Segment[]): PhysicalRange | undefined {
  const memory = new PhysicalMemory(machine.memory);
  const found = segments.find(
    (segment) => segment.size >= 64 && isElfCore(memory.read(BigInt(segment.start), 64)),
  );
  return found && { start: found.start, end: found.start + found.size };
}

/**
 * kexec-tools load none with a plain ELF program. It goes to the end of the region, where the
 * kernel allocates last: outside of what purgatory hashes, as newer kernels have it.
 */
function addElfcore(
  machine: Machine,
  region: PhysicalRange,
  segments: readonly Segment[],
): PhysicalRange {
  const { memory } = machine;
  const bytes = elfcoreBytes(machine, region);
  const start = region.end - Math.ceil(bytes.length / memory.pageSize) * memory.pageSize;
  if (segments.some((segment) => segment.start + segment.size > start)) {
    throw new DumpError('unsupported', 'the loaded crash kernel leaves no room for elfcorehdr', {
      where: { file: machine.name, physical: BigInt(start) },
    });
  }
  const page = new Uint8Array(region.end - start);
  page.set(bytes);
  memory.write(BigInt(start), page);
  const after = `0x${start.toString(16)}-0x${(region.end - 1).toString(16)}`;
  machine.edits.push({ what: 'elfcorehdr added: the loaded image has none', after });
  return { start, end: region.end };
}
