/**
 * What a dump is: whose memory, in which format, taken how, with which package of symbols, and what
 * it lacks. Reads headers and what leads to the kernel, no other pages; what cannot be found is
 * absent, with the reason.
 */

import { attempt, type DumpError } from '../bytes/errors.ts';
import type { CpuState, Dump } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { readLog } from '../linux/log.ts';
import { dumpLevelBits } from '../linux/pages.ts';
import { Vmcoreinfo } from '../linux/vmcoreinfo.ts';
import {
  type DebugPackage,
  debuginfodPath,
  debugPackage,
  type NoPackage,
} from './debug-package.ts';
import { type Identity, identityOf } from './identity.ts';
import { type TakenBy, takenBy } from './method.ts';

/** Something that the dump does not have, and what that means for who analyses it. */
export interface Lack {
  readonly what: string;
  readonly means: string;
}

export interface KernelPlace {
  /** The file's note, the kernel's own copy in memory, or what memory gave away. */
  readonly vmcoreinfo: 'note' | 'memory' | 'rebuilt' | 'none';
  /** How far KASLR moved the kernel's text. */
  readonly kaslrOffset: bigint | undefined;
  readonly physBase: bigint | undefined;
  readonly pagingLevels: 4 | 5 | undefined;
}

export interface Symbols {
  readonly package: DebugPackage | NoPackage;
  /** Below the address of a debuginfod server. */
  readonly debuginfod: string | undefined;
}

export interface DumpInfo {
  readonly description: string;
  readonly format: string;
  readonly architecture: Dump['architecture'];
  readonly pageSize: number;
  readonly level: number | undefined;
  readonly incomplete: string | undefined;
  readonly takenBy: TakenBy | undefined;
  readonly notes: readonly {
    readonly name: string;
    readonly type: number;
    readonly count: number;
  }[];
  readonly registers: {
    readonly cpus: number;
    /** `NT_PRSTATUS`, `QEMU`: which kinds of them the file has. */
    readonly kinds: readonly CpuState['source'][];
  };
  readonly identity: Identity;
  readonly kernel: KernelPlace;
  readonly symbols: Symbols;
  readonly lacks: readonly Lack[];
  /** What could not be read on the way. */
  readonly problems: readonly DumpError[];
}

export function infoOf(dump: Dump): DumpInfo {
  const problems: DumpError[] = [];
  const lost = (problem: DumpError): void => {
    problems.push(problem);
  };
  const kernel = dump.architecture === 'x86_64' ? attempt(() => openKernel(dump), lost) : undefined;
  const identity = identityOf(dump, kernel, lost);
  return {
    description: dump.description,
    format: dump.format,
    architecture: dump.architecture,
    pageSize: dump.pageSize,
    level: dump.level,
    incomplete: dump.incomplete,
    takenBy: takenBy(dump),
    notes: notesOf(dump),
    registers: registersOf(dump),
    identity,
    kernel: placeOf(dump, kernel),
    symbols: symbolsOf(identity),
    lacks: lacksOf(dump, kernel, identity, problems[0]),
    problems,
  };
}

function notesOf({ notes }: Dump): DumpInfo['notes'] {
  const counts = new Map<string, { name: string; type: number; count: number }>();
  for (const { name, type } of notes) {
    const known = counts.get(`${name} ${type}`);
    if (known === undefined) counts.set(`${name} ${type}`, { name, type, count: 1 });
    else known.count++;
  }
  return [...counts.values()];
}

/** Two kinds of notes tell of the same CPUs. */
function registersOf({ cpus }: Dump): DumpInfo['registers'] {
  const counts = new Map<CpuState['source'], number>();
  for (const { source } of cpus) counts.set(source, (counts.get(source) ?? 0) + 1);
  return { cpus: Math.max(0, ...counts.values()), kinds: [...counts.keys()] };
}

function placeOf(dump: Dump, kernel: Kernel | undefined): KernelPlace {
  const told = dump.vmcoreinfo === undefined ? undefined : new Vmcoreinfo(dump.vmcoreinfo);
  const vmcoreinfo = kernel?.vmcoreinfo ?? told;
  return {
    vmcoreinfo: kernel?.vmcoreinfoOrigin ?? (told === undefined ? 'none' : 'note'),
    kaslrOffset: vmcoreinfo?.kernelOffset,
    physBase: vmcoreinfo?.physBase,
    pagingLevels: kernel?.memory.root.levels,
  };
}

function symbolsOf({ release, version, banner, buildId }: Identity): Symbols {
  const found =
    release === undefined
      ? { why: 'the dump does not say which kernel it is of' }
      : debugPackage({ release, version: version ?? '', banner, buildId });
  return {
    package: found,
    debuginfod: buildId === undefined ? undefined : debuginfodPath(buildId),
  };
}

const filteredOut: Readonly<Record<string, string>> = {
  zero: 'pages of zeros',
  cache: 'files in the page cache',
  'private-cache': 'blocks and metadata of file systems in the page cache',
  user: 'memory of processes',
  free: 'free memory',
};

/** `zero, cache`: the names of a level's bits. */
export function levelNames(level: number): string[] {
  return Object.entries(dumpLevelBits).flatMap(([name, bit]) =>
    (level & bit) === 0 ? [] : [name],
  );
}

function lacksOf(
  dump: Dump,
  kernel: Kernel | undefined,
  identity: Identity,
  problem: DumpError | undefined,
): Lack[] {
  const lacks: Lack[] = [];
  const { level = 0, incomplete, inOtherParts = [], architecture } = dump;
  if (inOtherParts.length > 0) {
    const means = `give all parts together; ${untold(identity)}`;
    lacks.push({ what: 'the other parts of a split dump', means });
  } else if (incomplete !== undefined) {
    lacks.push({
      what: `the dump is not whole: ${incomplete}`,
      means: '`tsdump check` says which parts',
    });
  }
  if (architecture !== 'x86_64') {
    const means = 'its pages can be read and converted; kernels of this machine are not analysed';
    lacks.push({ what: `a kernel of ${architecture}`, means });
  } else if (kernel === undefined) {
    lacks.push({
      what: `a way into the kernel: ${problem?.message}`,
      means: 'nothing of it can be read',
    });
  }
  if (dump.cpus.length === 0) {
    const means =
      "backtraces of running tasks start from what the kernel's memory has, if anything";
    lacks.push({ what: 'registers of the CPUs', means });
  }
  if (dump.vmcoreinfo === undefined) {
    const origins = { note: '', memory: 'found in memory', rebuilt: 'rebuilt from memory' };
    const here = kernel === undefined ? '' : `; ${origins[kernel.vmcoreinfoOrigin]} here`;
    const means = `crash needs --kaslr and phys_base, makedumpfile refuses the file${here}`;
    lacks.push({ what: 'VMCOREINFO in the file', means });
  }
  if (level > 0) {
    const names = levelNames(level);
    const kinds = names.map((name) => filteredOut[name]).join(', ');
    const means = `left out on purpose, as far as there were any: ${kinds}`;
    lacks.push({ what: `pages of level ${level} (${names.join(', ')})`, means });
  }
  return kernel === undefined ? lacks : [...lacks, ...kernelLacks(kernel)];
}

/** What only the other parts tell of this one. */
function untold({ panic, uptimeSeconds, cpus, memoryBytes }: Identity): string {
  const facts = Object.entries({
    panic: panic.message ?? panic.task,
    uptime: uptimeSeconds,
    CPUs: cpus,
    memory: memoryBytes,
  });
  const names = facts.flatMap(([name, fact]) => (fact === undefined ? [name] : []));
  if (names.length === 0) return 'what is said here, this one tells';
  return `${names.join(', ')} cannot be told from this one`;
}

function kernelLacks(kernel: Kernel): Lack[] {
  const lacks: Lack[] = [];
  const symbols = attempt(() => kernel.symbols.inKernel('_stext')) !== undefined;
  if (!symbols) {
    const isLog = attempt(() => readLog(kernel).records.length > 0) === true;
    const means = isLog
      ? 'only what VMCOREINFO itself names can be read: the log'
      : 'nothing of the kernel can be read, and of the log no record';
    return [{ what: 'symbols (kallsyms)', means }];
  }
  if (attempt(() => kernel.types.sizeOf('struct task_struct')) === undefined) {
    const means = 'no structures: the log and symbols can be read, tasks and backtraces cannot';
    lacks.push({ what: 'types (BTF)', means });
  }
  if (kernel.symbols.inKernel('__start_orc_unwind_ip') === undefined) {
    const means = 'backtraces are guesses: return addresses found on the stacks';
    lacks.push({ what: 'unwind tables (ORC)', means });
  }
  for (const { what, count, why } of kernel.tables.missing) {
    lacks.push({ what: count === null ? what : `${count} ${what}`, means: why });
  }
  return lacks;
}
