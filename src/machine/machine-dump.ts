/** The machine's memory and CPUs as a Dump, so that whatever opens a dump opens a machine. */

import { assert } from '../bytes/errors.ts';
import type {
  CpuState,
  Dump,
  MemoryImage,
  Page,
  PageRun,
  PageState,
  Utsname,
} from '../dump/types.ts';
import type { Cpu } from './cpu.ts';

/**
 * `machine`: registers and memory are of one instant. `NT_PRSTATUS`: to be read like the notes of a
 * dying kernel, which may be older than its memory.
 */
export type RegisterSource = 'machine' | 'NT_PRSTATUS';

export class MachineDump implements Dump {
  readonly format = 'machine';
  readonly description = 'memory of an emulated machine';
  readonly architecture = 'x86_64';
  readonly name: string;
  readonly pageSize: number;
  readonly uts: Utsname | undefined;
  readonly time: number | undefined;
  readonly notes: Dump['notes'];
  readonly vmcoreinfo: string | undefined;
  readonly panic: Dump['panic'];
  readonly level: number | undefined;
  readonly incomplete: string | undefined;
  readonly cpus: readonly CpuState[];
  readonly #image: MemoryImage;

  /** `input` gives what does not change: identity, VMCOREINFO, what its filter left out. */
  constructor(
    image: MemoryImage,
    input: Dump,
    cpus: readonly Cpu[],
    source: RegisterSource = 'machine',
  ) {
    this.#image = image;
    this.name = image.name;
    this.pageSize = image.pageSize;
    this.uts = input.uts;
    this.time = input.time;
    // Registers are the CPUs' own: an old note must not speak against them.
    this.notes = input.notes.filter((note) => note.name === 'VMCOREINFO');
    this.vmcoreinfo = input.vmcoreinfo;
    this.panic = input.panic;
    this.level = input.level;
    this.incomplete = input.incomplete;
    this.cpus = cpus
      .filter((cpu) => cpu.registers !== undefined)
      .map((cpu) => cpuState(cpu, source));
  }

  get endPfn(): number {
    return this.#image.endPfn;
  }

  state(pfn: number): PageState {
    return this.#image.state(pfn);
  }

  readPage(pfn: number): Page {
    return this.#image.readPage(pfn);
  }

  runs(): Iterable<PageRun> {
    return this.#image.runs();
  }

  close(): void {}
}

function cpuState(cpu: Cpu, source: RegisterSource): CpuState {
  assert(cpu.registers !== undefined, 'a CPU of a dump has registers');
  return { source, index: cpu.number, registers: cpu.registers, task: cpu.task };
}
