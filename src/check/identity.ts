/**
 * Whose memory a dump holds: each fact from the kernel's own memory where that can be read, else
 * from the file's headers or VMCOREINFO. What is nowhere stays undefined.
 */

import { attempt, type DumpError } from '../bytes/errors.ts';
import { parseNotes } from '../dump/notes.ts';
import type { Dump, Utsname } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { panicMessage, panicTask } from '../linux/panic.ts';
import { type SystemInfo, systemInfo, utsname } from '../linux/system.ts';
import { Vmcoreinfo } from '../linux/vmcoreinfo.ts';

export interface Panic {
  readonly message: string | undefined;
  readonly task: { readonly pid: number; readonly comm: string } | undefined;
  readonly cpu: number | undefined;
  /** How the task was found. */
  readonly evidence: string | undefined;
}

export interface Identity {
  readonly release: string | undefined;
  readonly version: string | undefined;
  readonly machine: string;
  readonly nodename: string | undefined;
  readonly banner: string | undefined;
  /** Hexadecimal digits. */
  readonly buildId: string | undefined;
  /** Seconds since 1970, and who says so. */
  readonly time: { readonly seconds: number; readonly by: 'header' | 'kernel' } | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly cpus: { readonly possible: number; readonly online: number } | undefined;
  /** Bytes of RAM that the kernel managed. */
  readonly memoryBytes: number | undefined;
  readonly panic: Panic;
}

const bannerLength = 512;
/** The kernel's notes are a few hundred bytes. */
const maxKernelNotes = 64 * 1024;
const NT_GNU_BUILD_ID = 3;

/** `kernel`: undefined where none could be opened. `lost` hears of what could not be read. */
export function identityOf(
  dump: Dump,
  kernel: Kernel | undefined,
  lost: (problem: DumpError) => void,
): Identity {
  const of = <T>(read: (kernel: Kernel) => T): T | undefined =>
    kernel === undefined ? undefined : attempt(() => read(kernel), lost);
  const info = of(systemInfo);
  for (const problem of info?.problems ?? []) lost(problem);
  const uts = info?.uts ?? of(utsname) ?? dump.uts;
  const told = dump.vmcoreinfo === undefined ? undefined : new Vmcoreinfo(dump.vmcoreinfo);
  const vmcoreinfo = kernel?.vmcoreinfo ?? told;
  return {
    release: nonEmpty(uts?.release) ?? vmcoreinfo?.release,
    version: nonEmpty(uts?.version),
    machine: nonEmpty(uts?.machine) ?? dump.architecture,
    nodename: nonEmpty(uts?.nodename),
    banner: of(bannerOf),
    buildId: plainId(vmcoreinfo?.text('BUILD-ID')) ?? of(buildIdOf),
    time: timeOf(dump, info),
    uptimeSeconds: info?.uptime,
    cpus: cpusOf(info),
    memoryBytes: info?.memoryBytes,
    panic: panicOf(dump, kernel),
  };
}

function cpusOf(info: SystemInfo | undefined): Identity['cpus'] {
  if (info === undefined || info.cpusPossible === 0) return undefined;
  return { possible: info.cpusPossible, online: info.cpusOnline };
}

function nonEmpty(text: Utsname['release'] | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** It becomes part of commands and paths. */
function plainId(id: string | undefined): string | undefined {
  return id !== undefined && /^[0-9a-f]{8,128}$/.test(id) ? id : undefined;
}

function bannerOf(kernel: Kernel): string | undefined {
  const { address } = kernel.symbol('linux_banner');
  const text = kernel.memory.cstring(address, bannerLength).trim();
  return text.startsWith('Linux version ') ? text : undefined;
}

/** Since v5.9 (0935288c6e00) VMCOREINFO has it; the kernel's own notes always did. */
function buildIdOf(kernel: Kernel): string | undefined {
  const start = kernel.symbol('__start_notes').address;
  const length = Number(kernel.symbol('__stop_notes').address - start);
  if (length <= 0 || length > maxKernelNotes) return undefined;
  const { notes } = parseNotes(kernel.memory.read(start, length));
  const note = notes.find(({ name, type }) => name === 'GNU' && type === NT_GNU_BUILD_ID);
  const digits = [...(note?.desc ?? [])].map((byte) => byte.toString(16).padStart(2, '0'));
  return plainId(digits.join(''));
}

/** What the kernel's clock says is of the machine; a header's time may be of the writer. */
function timeOf(dump: Dump, info: SystemInfo | undefined): Identity['time'] {
  if (info?.time !== undefined && info.time > 0) return { seconds: info.time, by: 'kernel' };
  return dump.time === undefined ? undefined : { seconds: dump.time, by: 'header' };
}

function panicOf(dump: Dump, kernel: Kernel | undefined): Panic {
  const header = nonEmpty(dump.panic?.message);
  const message = kernel === undefined ? undefined : attempt(() => panicMessage(kernel));
  const found = kernel === undefined ? undefined : attempt(() => panicTask(kernel));
  const task = found && attempt(() => ({ pid: found.task.pid, comm: found.task.comm }));
  return {
    message: message ?? header,
    task,
    cpu: found?.cpu,
    evidence: task === undefined ? undefined : found?.evidence,
  };
}
