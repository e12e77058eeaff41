/** Dumps to write: an image of all kinds of pages, and what headers say, for both machines. */

import { ptRegs, userRegs, wordSize } from '../../src/dump/architecture.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import type { Architecture, MemoryImage, RegisterName, Registers } from '../../src/dump/types.ts';
import { registerNames } from '../../src/dump/types.ts';
import { imageOf, type PageToHold } from './pages.ts';

export type Machine = Architecture;

/** Pages that RLE and zlib shrink, that they do not, and zeros; gaps; an address above 4 GiB. */
export function sampleImage(): MemoryImage {
  const pages = new Map<number, PageToHold>();
  for (let pfn = 0; pfn < 90; pfn++) {
    if (pfn % 13 === 12) continue;
    if (pfn % 7 === 6) pages.set(pfn, { state: 'zero' });
    else pages.set(pfn, { state: 'stored', bytes: pageOf(pfn) });
  }
  pages.set(70, { state: 'excluded' });
  pages.set(0x10_0005, { state: 'stored', bytes: pageOf(0x10_0005) });
  return imageOf(pages, 0x10_0006);
}

/** Noise, where the number divides by 3; else runs. */
export function pageOf(pfn: number): Uint8Array {
  let seed = pfn + 1;
  return Uint8Array.from({ length: 4096 }, (_, at) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return pfn % 3 === 0 ? seed >>> 23 : (pfn + (at >> 9)) & 0xff;
  });
}

/** Each register another value; the machine has all of those that `names` names. */
export function registersFor(names: readonly RegisterName[], seed: number): Registers {
  const of = (name: RegisterName): bigint =>
    names.includes(name) ? BigInt(seed * 1000 + registerNames.indexOf(name)) : 0n;
  return Object.fromEntries(registerNames.map((name) => [name, of(name)])) as Record<
    RegisterName,
    bigint
  >;
}

const bases: Readonly<Record<Machine, { task: bigint; stack: bigint }>> = {
  x86_64: { task: 0xffff_8880_0000_1000n, stack: 0xffff_c900_0000_0000n },
  i386: { task: 0xc123_4000n, stack: 0xc150_0000n },
};

/** No notes: neither LKCD nor diskdump carries any. `saved`: which registers the format keeps. */
export function contentFor(
  image: MemoryImage,
  architecture: Machine,
  saved: 'pt_regs' | 'user_regs' = 'pt_regs',
): DumpContent {
  const names = (saved === 'pt_regs' ? ptRegs : userRegs)[architecture];
  const { task, stack } = bases[architecture];
  const step = BigInt(wordSize[architecture]) * 1024n;
  return {
    image,
    architecture,
    uts: {
      sysname: 'Linux',
      nodename: 'test',
      release: '2.6.9-test',
      version: '#1 SMP',
      machine: architecture === 'i386' ? 'i686' : 'x86_64',
      domainname: '(none)',
    },
    time: 1_100_000_000.25,
    notes: [],
    vmcoreinfo: undefined,
    physBase: 0n,
    panic: { message: 'sysrq triggered crash', task: task + step, cpu: 1 },
    cpus: [0, 1].map((cpu) => ({
      registers: registersFor(names, cpu + 1),
      task: task + step * BigInt(cpu),
      stack: stack + step * BigInt(cpu),
    })),
  };
}
