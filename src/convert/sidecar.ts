/**
 * The side file: what a dump file says beyond the bytes of memory, kept in JSON beside a file of a
 * format that has no place for it. Read together, the two say what the first dump said. A side file
 * belongs to one file, which it knows by its size and by a digest of its two ends.
 * Schema: docs/reference/json/sidecar-1.json.
 */

import { base64, bytesOfBase64 } from '../bytes/base64.ts';
import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import { jsonAddress } from '../bytes/text.ts';
import type { DumpFacts } from '../dump/format.ts';
import type {
  CpuState,
  Dump,
  ElfNote,
  MemoryImage,
  MemoryRange,
  PageRun,
  PageState,
  Registers,
  Utsname,
} from '../dump/types.ts';
import { registerNames } from '../dump/types.ts';

export const sidecarSchema = 'sidecar/1';

/** First PFN, and one past the last. */
type Run = readonly [first: number, end: number];

interface SideCpu extends Pick<CpuState, 'source' | 'index'> {
  readonly registers: Readonly<Record<string, string>>;
  readonly pid?: number;
  readonly task?: string;
  readonly control?: { readonly cr3: string; readonly cr4: string; readonly kernelGsBase: string };
}

/** As it stands in the file. Addresses are `"0x..."`. */
export interface Sidecar {
  readonly schema: typeof sidecarSchema;
  readonly file: { readonly size: number; readonly sha256: string };
  /** Where the facts come from, for people. */
  readonly source: string;
  readonly architecture: Dump['architecture'];
  readonly pageSize: number;
  readonly endPfn: number;
  readonly uts: Utsname | null;
  readonly time: number | null;
  readonly notes: readonly {
    readonly name: string;
    readonly type: number;
    readonly desc: string;
  }[];
  readonly cpus: readonly SideCpu[];
  readonly vmcoreinfo: string | null;
  readonly physBase: string | null;
  readonly panic: { readonly message: string; readonly task: string } | null;
  readonly level: number | null;
  readonly incomplete: string | null;
  /** Pages in none of them are missing. */
  readonly pages: { readonly stored: readonly Run[]; readonly excluded: readonly Run[] };
}

type Digest = (bytes: Uint8Array) => Uint8Array;

/** What the file at its end is known by. */
export function fileMark(file: Source, sha256: Digest): Sidecar['file'] {
  const length = Math.min(endBytes, file.size);
  const ends = new Uint8Array(2 * length);
  ends.set(file.read(0, length));
  ends.set(file.read(file.size - length, length), length);
  const digest = [...sha256(ends)].map((byte) => byte.toString(16).padStart(2, '0'));
  return { size: file.size, sha256: digest.join('') };
}

const endBytes = 64 * 1024;

/** The file that a side file is for. */
export interface Sided {
  readonly mark: Sidecar['file'];
  /** What was written to it. */
  readonly image: MemoryImage;
  readonly level: number;
  /** What of it can be read again, where the file does not say so itself. */
  readonly ranges: readonly MemoryRange[] | undefined;
}

/** What `dump` says, for a file that was made of it. */
export function sidecarOf(dump: Dump, { mark, image, level, ranges }: Sided): Sidecar {
  const runsOf = (...states: readonly PageState[]): Run[] => {
    const runs = [...image.runs()].filter(({ state }) => states.includes(state));
    return runs.map(({ first, end }) => [first, end]);
  };
  const stored = ranges?.map(({ start, end }): Run => {
    return [Number(start) / image.pageSize, Number(end) / image.pageSize];
  });
  return {
    schema: sidecarSchema,
    file: mark,
    source: `${dump.name}: ${dump.description}`,
    architecture: dump.architecture,
    pageSize: image.pageSize,
    endPfn: image.endPfn,
    uts: dump.uts ?? null,
    time: dump.time ?? null,
    notes: dump.notes.map(({ name, type, desc }) => ({ name, type, desc: base64(desc) })),
    cpus: dump.cpus.map(sideCpu),
    vmcoreinfo: dump.vmcoreinfo ?? null,
    physBase: dump.physBase === undefined ? null : jsonAddress(dump.physBase),
    panic: dump.panic === undefined ? null : { ...dump.panic, task: jsonAddress(dump.panic.task) },
    level: dump.level === undefined && level === 0 ? null : level,
    incomplete: dump.incomplete ?? null,
    pages: { stored: stored ?? runsOf('stored', 'zero'), excluded: runsOf('excluded') },
  };
}

function sideCpu({ source, index, registers, pid, task, control }: CpuState): SideCpu {
  const values = registerNames.map((name) => [name, jsonAddress(registers[name])]);
  return {
    source,
    index,
    registers: Object.fromEntries(values),
    ...(pid === undefined ? {} : { pid }),
    ...(task === undefined ? {} : { task: jsonAddress(task) }),
    ...(control === undefined
      ? {}
      : {
          control: {
            cr3: jsonAddress(control.cr3),
            cr4: jsonAddress(control.cr4),
            kernelGsBase: jsonAddress(control.kernelGsBase),
          },
        }),
  };
}

/** The facts of a side file, checked. */
export interface SideFacts
  extends Omit<DumpFacts, 'format' | 'description'>,
    Pick<Dump, 'incomplete'> {
  readonly file: Sidecar['file'];
  readonly pageSize: number;
  readonly endPfn: number;
  /** `stored` and `excluded`, ascending; between them pages are missing. */
  readonly runs: readonly PageRun[];
}

/** The text of a side file. Throws `corrupt` for anything else, naming the member. */
export function parseSidecar(text: string, name: string): SideFacts {
  const fail = (what: string): never => {
    throw new DumpError('corrupt', `no side file of a dump: ${what}`, { where: { file: name } });
  };
  const side = new Members(jsonOf(text, fail), fail);
  if (side.text('schema') !== sidecarSchema) fail(`its schema is not ${sidecarSchema}`);
  const file = side.object('file');
  const panic = side.orNull('panic', () => side.object('panic'));
  const pages = side.object('pages');
  const architecture = side.text('architecture');
  if (architecture !== 'x86_64' && architecture !== 'i386') return fail('architecture');
  const runs = [...runsIn(pages, 'stored', fail), ...runsIn(pages, 'excluded', fail)].sort(
    (a, b) => a.first - b.first,
  );
  const endPfn = side.count('endPfn');
  for (const [index, { first, end }] of runs.entries()) {
    const before = runs[index - 1]?.end ?? 0;
    if (first < before || end <= first || end > endPfn) fail('pages: runs that overlap');
  }
  return {
    file: { size: file.count('size'), sha256: file.text('sha256') },
    architecture,
    pageSize: side.count('pageSize'),
    endPfn,
    uts: side.orNull('uts', () => utsOf(side.object('uts'))),
    time: side.orNull('time', () => side.number('time')),
    notes: side.list('notes').map(noteOf),
    cpus: side.list('cpus').map(cpuOf),
    vmcoreinfo: side.orNull('vmcoreinfo', () => side.text('vmcoreinfo')),
    physBase: side.orNull('physBase', () => BigInt.asIntN(64, side.address('physBase'))),
    panic: panic && { message: panic.text('message'), task: panic.address('task') },
    level: side.orNull('level', () => side.count('level')),
    incomplete: side.orNull('incomplete', () => side.text('incomplete')),
    runs,
  };
}

/** Where the memory lies in a file that holds it as it is. */
export function rangesOf({ runs, pageSize }: SideFacts): MemoryRange[] {
  const address = (pfn: number): bigint => BigInt(pfn) * BigInt(pageSize);
  const stored = runs.filter(({ state }) => state === 'stored');
  return stored.map(({ first, end }) => ({ start: address(first), end: address(end) }));
}

type Fail = (what: string) => never;

function jsonOf(text: string, fail: Fail): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return fail('not JSON');
  }
}

/** Members of a JSON object, each of the type that is asked for. */
class Members {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly fail: Fail;

  constructor(value: unknown, fail: Fail) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#values = isObject ? (value as Record<string, unknown>) : fail('not an object');
    this.fail = fail;
  }

  get names(): readonly string[] {
    return Object.keys(this.#values);
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string): string {
    const value = this.#values[name];
    return typeof value === 'string' ? value : this.fail(name);
  }

  number(name: string): number {
    const value = this.#values[name];
    return typeof value === 'number' ? value : this.fail(name);
  }

  count(name: string): number {
    const value = this.number(name);
    return Number.isSafeInteger(value) && value >= 0 ? value : this.fail(name);
  }

  address(name: string): bigint {
    const value = this.text(name);
    return /^0x[0-9a-f]{1,16}$/.test(value) ? BigInt(value) : this.fail(name);
  }

  object(name: string): Members {
    return new Members(this.#values[name], (what) => this.fail(`${name}: ${what}`));
  }

  list(name: string): Members[] {
    const value = this.#values[name];
    if (!Array.isArray(value)) return this.fail(name);
    return value.map((item) => new Members(item, (what) => this.fail(`${name}: ${what}`)));
  }

  array(name: string): readonly unknown[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value : this.fail(name);
  }

  orNull<T>(name: string, read: () => T): T | undefined {
    return this.#values[name] === null ? undefined : read();
  }
}

function runsIn(pages: Members, state: 'stored' | 'excluded', fail: Fail): PageRun[] {
  return pages.array(state).map((run): PageRun => {
    const [first, end] = Array.isArray(run) ? (run as unknown[]) : [];
    const isRun = Number.isSafeInteger(first) && Number.isSafeInteger(end);
    return isRun ? { first: first as number, end: end as number, state } : fail(`pages: ${state}`);
  });
}

function utsOf(uts: Members): Utsname {
  return {
    sysname: uts.text('sysname'),
    nodename: uts.text('nodename'),
    release: uts.text('release'),
    version: uts.text('version'),
    machine: uts.text('machine'),
    domainname: uts.text('domainname'),
  };
}

function noteOf(note: Members): ElfNote {
  const desc = bytesOfBase64(note.text('desc'));
  return { name: note.text('name'), type: note.count('type'), desc };
}

const sources = ['NT_PRSTATUS', 'QEMU', 'LKCD', 'DISKDUMP', 'machine'] as const;

function cpuOf(cpu: Members): CpuState {
  const named = cpu.object('registers');
  const registers = Object.fromEntries(registerNames.map((name) => [name, named.address(name)]));
  const source = sources.find((name) => name === cpu.text('source'));
  const control = cpu.has('control') ? cpu.object('control') : undefined;
  return {
    source: source ?? cpu.fail('source'),
    index: cpu.count('index'),
    registers: registers as unknown as Registers,
    ...(cpu.has('pid') ? { pid: cpu.number('pid') } : {}),
    ...(cpu.has('task') ? { task: cpu.address('task') } : {}),
    ...(control === undefined
      ? {}
      : {
          control: {
            cr3: control.address('cr3'),
            cr4: control.address('cr4'),
            kernelGsBase: control.address('kernelGsBase'),
          },
        }),
  };
}
