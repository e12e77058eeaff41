/**
 * What a writer is given, made of any dump: what its file says first, then what the kernel in its
 * memory says. The kernel is opened only where the file lacks something that the target has a place
 * for, so that a plain copy costs no symbols. What can be had nowhere is left out, and said.
 */

import { attempt } from '../bytes/errors.ts';
import { encodeUtf8 } from '../bytes/text.ts';
import { namedRegisters } from '../dump/architecture.ts';
import type { DumpContent } from '../dump/content.ts';
import { NT_PRSTATUS, prstatusNote, vmcoreinfoOf } from '../dump/notes.ts';
import type { CpuState, Dump, ElfNote, MemoryImage, Utsname } from '../dump/types.ts';
import { type CpuContext, cpuContexts } from '../linux/cpus.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { addressOf } from '../linux/objects.ts';
import { panicMessage, panicTask } from '../linux/panic.ts';
import { systemInfo, utsname } from '../linux/system.ts';
import { Vmcoreinfo } from '../linux/vmcoreinfo.ts';
import { type Need, needsOf } from './needs.ts';

export interface Gathered {
  readonly content: DumpContent;
  /** Where facts were found that the file has not, and what could not be had: a line each. */
  readonly remarks: readonly string[];
}

/** The kernel of a dump, opened when somebody asks. */
export class LazyKernel {
  readonly #dump: Dump;
  #kernel: Kernel | undefined;
  #problem: string | undefined;
  #isTried = false;

  constructor(dump: Dump) {
    this.#dump = dump;
  }

  /** Undefined where it cannot be opened; `problem` then says why. */
  get kernel(): Kernel | undefined {
    if (this.#isTried) return this.#kernel;
    this.#isTried = true;
    if (this.#dump.architecture !== 'x86_64') {
      this.#problem = `the memory of ${this.#dump.architecture} is not looked into`;
      return undefined;
    }
    this.#kernel = attempt(
      () => openKernel(this.#dump),
      ({ message }) => {
        this.#problem = message;
      },
    );
    return this.#kernel;
  }

  get problem(): string | undefined {
    return this.#problem;
  }
}

/**
 * The content of a dump file in the given format. `image` is what of the dump's memory is written.
 */
export function contentOf(
  dump: Dump,
  format: string,
  lazy: LazyKernel = new LazyKernel(dump),
  image: MemoryImage = dump,
): Gathered {
  return new Gatherer(dump, needsOf(format), lazy).gather(image);
}

class Gatherer {
  readonly #dump: Dump;
  readonly #needs: ReadonlySet<Need>;
  readonly #lazy: LazyKernel;
  readonly #remarks: string[] = [];
  #contexts: readonly CpuContext[] | undefined;

  constructor(dump: Dump, needs: ReadonlySet<Need>, lazy: LazyKernel) {
    this.#dump = dump;
    this.#needs = needs;
    this.#lazy = lazy;
  }

  gather(image: MemoryImage): Gathered {
    const vmcoreinfo = this.#vmcoreinfo();
    const panic = this.#needs.has('panic') ? this.#panic() : undefined;
    const places = this.#needs.has('places') ? this.#places() : {};
    const content: DumpContent = {
      image,
      isIncomplete: () => this.#dump.incomplete !== undefined,
      architecture: this.#dump.architecture,
      uts: this.#uts(vmcoreinfo),
      time: this.#time(vmcoreinfo),
      notes: this.#notes(vmcoreinfo),
      vmcoreinfo,
      physBase: this.#physBase(vmcoreinfo),
      ...(panic === undefined ? {} : { panic }),
      cpus: this.#needs.has('cpus') ? this.#cpus() : [],
      ...places,
    };
    const isAsked = this.#lazy.problem !== undefined;
    const problem = isAsked ? [`no kernel was found in the memory: ${this.#lazy.problem}`] : [];
    return { content, remarks: [...problem, ...this.#remarks] };
  }

  get #kernel(): Kernel | undefined {
    return this.#lazy.kernel;
  }

  #vmcoreinfo(): string | undefined {
    const told = this.#dump.vmcoreinfo;
    if (told !== undefined || !this.#needs.has('vmcoreinfo')) return told;
    const kernel = this.#kernel;
    if (kernel === undefined || kernel.vmcoreinfoOrigin === 'note') return undefined;
    this.#remarks.push(
      kernel.vmcoreinfoOrigin === 'memory'
        ? "VMCOREINFO: the kernel's own copy in the memory"
        : 'VMCOREINFO: rebuilt in part from page tables and symbols',
    );
    return kernel.vmcoreinfo.source;
  }

  #notes(vmcoreinfo: string | undefined): readonly ElfNote[] {
    const { notes } = this.#dump;
    if (!this.#needs.has('notes')) return notes;
    const isNoted = vmcoreinfo === undefined || vmcoreinfoOf(notes) !== undefined;
    const text = isNoted ? [] : [{ name: 'VMCOREINFO', type: 0, desc: encodeUtf8(vmcoreinfo) }];
    const hasRegisters = notes.some(({ name, type }) => name === 'CORE' && type === NT_PRSTATUS);
    return [...(hasRegisters ? [] : this.#registerNotes()), ...notes, ...text];
  }

  /** One for each CPU by its number: readers count them. One that has none gets zeros. */
  #registerNotes(): ElfNote[] {
    const { architecture, cpus } = this.#dump;
    const contexts = this.#online();
    if (contexts === undefined) {
      if (cpus.length === 0) this.#remarks.push('registers: there are none');
      return bySlot(cpus).map((state) =>
        prstatusNote(state?.registers ?? noRegisters, state?.pid ?? 0, architecture),
      );
    }
    const found = contexts.filter(({ registers }) => registers !== undefined);
    if (found.length === 0) {
      this.#remarks.push('registers: neither the file nor the memory has any');
      return [];
    }
    for (const { cpu, registers, source, evidence } of contexts) {
      const where = registers === undefined ? evidence : `from ${source}: ${evidence}`;
      this.#remarks.push(`registers of CPU ${cpu} ${where}`);
    }
    return contexts.map(({ registers, task }) => {
      const pid = attempt(() => task?.pid as number | undefined) ?? 0;
      return prstatusNote(registers ?? noRegisters, pid, architecture);
    });
  }

  /** crash takes the n-th note for the n-th CPU that is online. */
  #online(): readonly CpuContext[] | undefined {
    const contexts = this.#cpuContexts();
    const online = attempt(() => this.#kernel?.cpuMask('__cpu_online_mask'));
    if (contexts === undefined || online === undefined || online.length === 0) return contexts;
    return contexts.filter(({ cpu, registers }) => {
      return online.includes(cpu) || registers !== undefined;
    });
  }

  #cpuContexts(): readonly CpuContext[] | undefined {
    const kernel = this.#kernel;
    if (kernel === undefined) return undefined;
    this.#contexts ??= attempt(() => cpuContexts(kernel));
    return this.#contexts;
  }

  /** By CPU number. */
  #cpus(): DumpContent['cpus'] {
    const contexts = this.#cpuContexts();
    if (contexts === undefined) {
      return bySlot(this.#dump.cpus).map((state) => ({
        registers: state?.registers ?? noRegisters,
        task: state?.task ?? 0n,
        stack: 0n,
      }));
    }
    const cpus: DumpContent['cpus'][number][] = [];
    for (const { cpu, registers, task } of contexts) {
      while (cpus.length < cpu) cpus.push({ registers: noRegisters, task: 0n, stack: 0n });
      cpus.push({
        registers: registers ?? noRegisters,
        task: task === undefined ? 0n : addressOf(task),
        stack: attempt(() => task?.stack as bigint | undefined) ?? 0n,
      });
    }
    return cpus;
  }

  #panic(): DumpContent['panic'] {
    const told = this.#dump.panic;
    const kernel = this.#kernel;
    const context = kernel === undefined ? undefined : attempt(() => panicTask(kernel));
    const found = kernel === undefined ? undefined : attempt(() => panicMessage(kernel));
    const task = told?.task ?? (context === undefined ? undefined : addressOf(context.task));
    if (task === undefined) return undefined;
    const slot = this.#dump.cpus.find((state) => state.task === task)?.index;
    return { message: told?.message || found || '', task, cpu: context?.cpu ?? slot ?? 0 };
  }

  #uts(vmcoreinfo: string | undefined): Utsname {
    const told = this.#dump.uts;
    if (told !== undefined) return told;
    const kernel = this.#needs.has('uts') ? this.#kernel : undefined;
    const found = kernel === undefined ? undefined : attempt(() => utsname(kernel));
    if (found !== undefined) return found;
    const release = new Vmcoreinfo(vmcoreinfo ?? '').release ?? '';
    const machine = this.#dump.architecture === 'i386' ? 'i686' : 'x86_64';
    return { sysname: 'Linux', nodename: '', release, version: '', machine, domainname: '' };
  }

  /** 0: not known. */
  #time(vmcoreinfo: string | undefined): number {
    const told = this.#dump.time ?? Number(new Vmcoreinfo(vmcoreinfo ?? '').text('CRASHTIME'));
    if (!Number.isNaN(told)) return told;
    const kernel = this.#needs.has('time') ? this.#kernel : undefined;
    return (kernel === undefined ? undefined : attempt(() => systemInfo(kernel).time)) ?? 0;
  }

  #physBase(vmcoreinfo: string | undefined): bigint {
    const told = new Vmcoreinfo(vmcoreinfo ?? '').physBase ?? this.#dump.physBase;
    const kernel = told === undefined && this.#needs.has('vmcoreinfo') ? this.#kernel : undefined;
    return told ?? kernel?.vmcoreinfo.physBase ?? 0n;
  }

  #places(): Pick<DumpContent, 'directMap' | 'kernel'> {
    const kernel = this.#kernel;
    if (kernel === undefined) return {};
    const directMap = attempt(() => kernel.toVirtual(0n));
    const image = attempt(() => {
      const virtual = kernel.symbol('_text').address;
      const size = Number(kernel.symbol('_end').address - virtual);
      return { virtual, physical: Number(kernel.memory.translate(virtual).physical), size };
    });
    return {
      ...(directMap === undefined ? {} : { directMap }),
      ...(image === undefined ? {} : { kernel: image }),
    };
  }
}

const noRegisters = namedRegisters([], []);

/** By `index`, where each state is of another CPU; a gap is undefined. */
function bySlot(states: readonly CpuState[]): (CpuState | undefined)[] {
  const slots: (CpuState | undefined)[] = [];
  for (const state of states) {
    // QEMU's own notes tell the same CPUs again.
    if (state.index < maxSlots) slots[state.index] ??= state;
  }
  return Array.from(slots);
}

/** NR_CPUS_RANGE_END of x86-64. */
const maxSlots = 8192;
