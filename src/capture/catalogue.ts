/**
 * The dump methods as users know them: names, generations, formats. Nothing of how they work, so
 * that help and completion need not load it.
 */

import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import type { CompressionName } from '../codec/types.ts';

/** What a method was at a time of its history, where that decides what becomes of a dump. */
export interface Generation {
  /** `2004`: as the command line takes it, behind the method and a colon. */
  readonly name: string;
  /** What is different in it, one line. */
  readonly title: string;
  /** What it had instead of what the method says. */
  readonly instead?: Partial<Pick<MethodDescription, 'format' | 'compressions' | 'levels'>>;
}

export interface MethodDescription {
  /** A folder under src/capture. */
  readonly name: string;
  /** What it is, one line: for help. */
  readonly summary: string;
  /**
   * When it works: on the crashed kernel, from outside of it, or before it crashed. Rates of one
   * kind say nothing about another.
   */
  readonly moment: 'after the panic' | 'outside' | 'before the panic';
  /** The usual one first. */
  readonly generations: readonly [Generation, ...Generation[]];
  /** Folder of its file format under src/dump. */
  readonly format: 'kdump' | 'lkcd' | 'diskdump' | 'elf';
  /** The usual one first. */
  readonly compressions: readonly [CompressionName, ...CompressionName[]];
  /** UDP port of the server that takes the dump; undefined: it needs none. */
  readonly port?: number;
  /** What somebody has to name for its dump to go to; undefined: nothing. */
  readonly device?: 'partition';
  /** The levels that it knows, in makedumpfile's bits; undefined: all, 0 to 31. */
  readonly levels?: readonly number[];
}

interface NetworkMethod extends MethodDescription {
  readonly port: number;
}

const kdumpCompressions = ['zlib', 'none', 'lzo', 'snappy', 'zstd'] as const;

const lkcdDisk: MethodDescription = {
  name: 'lkcd-disk',
  summary: 'LKCD: the crashed kernel writes itself to a disk by its own block layer; ends in LKCD',
  moment: 'after the panic',
  generations: [
    { name: '2005', title: 'polls the disk and needs no interrupt' },
    { name: '2004', title: 'waits for interrupts; a queue that is not empty is a warning' },
    { name: '2003', title: 'waits for interrupts; refuses a queue that is not empty' },
  ],
  format: 'lkcd',
  compressions: ['rle', 'zlib', 'none'],
  levels: [0, 16, 30],
  device: 'partition',
};

const lkcdMem: MethodDescription = {
  name: 'lkcd-mem',
  summary: 'LKCD: memory is kept compressed in itself over a soft boot; ends in LKCD',
  moment: 'after the panic',
  generations: [{ name: '2002', title: 'two stages, the same kernel boots again by a jump' }],
  format: 'lkcd',
  compressions: ['zlib'],
  levels: [0, 16, 30],
  device: 'partition',
};

const mkdump: MethodDescription = {
  name: 'mkdump',
  summary: 'a mini kernel in its own region, loaded anywhere beforehand; ends in LKCD',
  moment: 'after the panic',
  generations: [
    { name: '1.0', title: 'the control structure is in ordinary memory' },
    { name: 'later', title: 'it is in the region, which the kernel may not write to' },
  ],
  format: 'lkcd',
  compressions: ['zlib', 'none', 'rle'],
  device: 'partition',
};

const lkcdNet: NetworkMethod = {
  name: 'lkcd-net',
  summary: 'LKCD: the crashed kernel pushes its dump to a server over UDP; ends in LKCD',
  moment: 'after the panic',
  generations: [
    { name: 'broadcast', title: 'calls for any server of its network segment' },
    { name: 'fixed-mac', title: 'was told the hardware address of its server, or of the router' },
  ],
  format: 'lkcd',
  compressions: ['rle', 'zlib', 'none'],
  port: 6688,
  levels: [0, 16, 30],
};

const diskdump: MethodDescription = {
  name: 'diskdump',
  summary:
    "the crashed kernel's own disk driver, polled, to a formatted partition; ends in DISKDUMP",
  moment: 'after the panic',
  generations: [
    { name: 'rhel4', title: 'one partition after the other; swap, filters, compression (2005)' },
    {
      name: '1.0',
      title: 'chooses one partition and samples its signatures; ends in ELF (November 2004)',
      instead: { format: 'elf', compressions: ['none'], levels: [0] },
    },
    {
      name: '2004-05',
      title: 'reads all of its partition, and dares a host whose lock is held (May 2004)',
      instead: { format: 'elf', compressions: ['none'], levels: [0] },
    },
  ],
  format: 'diskdump',
  compressions: ['none', 'zlib'],
  device: 'partition',
};

const kexec: MethodDescription = {
  name: 'kexec',
  summary: 'a second kernel in a reserved region, as kdump starts it; ends in KDUMP',
  moment: 'after the panic',
  generations: [
    { name: 'today', title: 'the low megabyte is reserved, nothing is copied' },
    { name: '2004', title: 'the first 640 KB are copied before the second kernel overwrites them' },
  ],
  format: 'kdump',
  compressions: kdumpCompressions,
};

const netdump: NetworkMethod = {
  name: 'netdump',
  summary: 'memory is handed page by page to a server that asks for it over UDP; ends in ELF',
  moment: 'after the panic',
  generations: [{ name: '2004', title: 'over netpoll, with locks that are reset' }],
  format: 'elf',
  compressions: ['none'],
  port: 6666,
  levels: [0],
};

const hypervisor: MethodDescription = {
  name: 'hypervisor',
  summary: 'the host of a guest, which reads all memory from outside; ends in KDUMP',
  moment: 'outside',
  generations: [{ name: 'today', title: "as QEMU's dump-guest-memory does it" }],
  format: 'kdump',
  compressions: kdumpCompressions,
  levels: [0],
};

const live: MethodDescription = {
  name: 'live',
  summary: 'a snapshot of the machine just before it panics, by copy on write; ends in KDUMP',
  moment: 'before the panic',
  generations: [{ name: 'today', title: 'pages are write-protected in one instant' }],
  format: 'kdump',
  compressions: kdumpCompressions,
};

const liveNaive: MethodDescription = {
  ...live,
  name: 'live-naive',
  summary: 'a copy of the memory of the running machine, which tears; ends in KDUMP',
  generations: [{ name: 'today', title: 'as a copy of /proc/kcore' }],
};

export const descriptions = {
  'lkcd-disk': lkcdDisk,
  'lkcd-net': lkcdNet,
  'lkcd-mem': lkcdMem,
  diskdump,
  netdump,
  kexec,
  mkdump,
  hypervisor,
  live,
  'live-naive': liveNaive,
} as const;

export const catalogue: readonly MethodDescription[] = Object.values(descriptions);

export const methodNames: readonly string[] = catalogue.map(({ name }) => name);

/** Every method in every generation, as `parseMethod` takes them. */
export const methodWords: readonly string[] = catalogue.flatMap(({ name, generations }) =>
  generations.map((generation) => methodWord(name, generation.name)),
);

/** `lkcd-disk`, or with a generation that is not its first one: `lkcd-disk:2003`. */
export function methodWord(name: string, generation: string): string {
  return describe(name).generations[0].name === generation ? name : `${name}:${generation}`;
}

/**
 * `lkcd-disk`, or with one of its generations: `lkcd-disk:2003`; the method as it was then. Throws
 * `usage`.
 */
export function parseMethod(text: string): {
  readonly method: MethodDescription;
  readonly generation: string;
} {
  const [name = '', wanted] = text.split(/:(.*)/s);
  const method = describe(name);
  const names = method.generations.map((generation) => generation.name);
  const generation = wanted ?? method.generations[0].name;
  const found = method.generations.find((one) => one.name === generation);
  if (found !== undefined) return { method: { ...method, ...found.instead }, generation };
  const unknown = `${name} has no generation "${generation}"${suggestion(generation, names)}`;
  throw new DumpError('usage', unknown, { hint: `one of ${names.join(', ')}` });
}

/** Throws `usage` for an unknown name. */
function describe(name: string): MethodDescription {
  const found = catalogue.find((method) => method.name === name);
  if (found !== undefined) return found;
  throw new DumpError('usage', `unknown dump method "${name}"${suggestion(name, methodNames)}`, {
    hint: `one of ${methodNames.join(', ')}`,
  });
}
