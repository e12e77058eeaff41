/**
 * Is what a dump says of its kernel's place true? The text of VMCOREINFO proves itself where the
 * page tables that it names lead to a system of the release that it names, and where phys_base says
 * the same as the page tables.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { cstring, jsonAddress } from '../bytes/text.ts';
import { DumpOver } from '../dump/dump-over.ts';
import type { Dump } from '../dump/types.ts';
import { kernelPageTables } from '../linux/core.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { kernelMap, linkAddress } from '../linux/kernel-image.ts';
import { AddressSpace } from '../linux/memory.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { utsnameOffsets, Vmcoreinfo } from '../linux/vmcoreinfo.ts';

/** Why this text is not that of the kernel in the memory; undefined where it proves itself. */
export function disproof(dump: Dump, text: string): string | undefined {
  const info = new Vmcoreinfo(text);
  const root = kernelPageTables(info);
  if (root === undefined) return 'it does not say where the page tables are';
  const memory = new AddressSpace(new PhysicalMemory(dump), root);
  const { release } = info;
  const uts = info.symbol('init_uts_ns');
  if (release === undefined || uts === undefined) return 'it does not name its release';
  const told = info.offset('uts_namespace.name');
  const places = told === undefined ? utsnameOffsets : [told];
  const releases = places.map((at) => {
    // The third of the names, 65 bytes each.
    return attempt(() => cstring(memory.read(uts + BigInt(at) + 130n, 65)));
  });
  if (!releases.includes(release)) return `its page tables do not lead to a system ${release}`;
  return attempt(() => misplaced(info, memory, uts));
}

function misplaced(info: Vmcoreinfo, memory: AddressSpace, uts: bigint): string | undefined {
  const found = memory.translate(uts).physical - (uts - kernelMap);
  if (found !== info.physBase) {
    const told = info.physBase === undefined ? 'not told' : jsonAddress(info.physBase);
    return `phys_base is ${told}, by the page tables ${jsonAddress(found)}`;
  }
  const { kernelOffset } = info;
  const start = info.symbol('_stext');
  if (kernelOffset === undefined || start === undefined) return undefined;
  // KASLR moves by 2 MB; _stext is within the first page frames of the image.
  const moved = (start - linkAddress) & ~0x1f_ffffn;
  return moved === kernelOffset
    ? undefined
    : `KERNELOFFSET is 0x${kernelOffset.toString(16)}, by _stext 0x${moved.toString(16)}`;
}

/** The dump as if its file said nothing of VMCOREINFO. */
class Untold extends DumpOver {
  override readonly vmcoreinfo = undefined;
}

export interface FoundInfo {
  readonly text: string;
  readonly release: string | undefined;
  readonly origin: 'memory' | 'rebuilt';
}

/** What the memory, read to its end perhaps, says itself. Throws `absent` where it is nothing. */
export function infoInMemory(dump: Dump): FoundInfo {
  const kernel: Kernel = openKernel(new Untold(dump));
  const { source: text, release } = kernel.vmcoreinfo;
  if (kernel.vmcoreinfoOrigin === 'note') throw new DumpError('absent', 'nothing was looked for');
  return { text, release, origin: kernel.vmcoreinfoOrigin };
}

/** The text with the lines of `known`; what only the text has stays. */
export function amended(text: string, known: string): string {
  const lines = new Map<string, string>();
  for (const line of `${text}\n${known}`.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) lines.set(line.slice(0, equals), line);
  }
  return `${[...lines.values()].join('\n')}\n`;
}
