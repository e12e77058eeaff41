/**
 * A crashed machine brought back to life: the memory of a dump, copied on write, with CPUs, a disk
 * and a clock around it, at the instant of the panic. Whatever was changed to get there is listed.
 */

import { assert, DumpError } from '../bytes/errors.ts';
import type { Dump, MemoryImage } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { AddressSpace } from '../linux/memory.ts';
import { type KernelObject, viewObject } from '../linux/objects.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { systemInfo } from '../linux/system.ts';
import { Clock, second } from './clock.ts';
import { Cpu, type CpuSurroundings, type ResidentCode, type SavedCpu } from './cpu.ts';
import { Disk, type Partition, partitionsOf, type SavedDisk } from './disk.ts';
import { type EditNote, editNote, type PlannedEdit } from './edit.ts';
import { FileArea, type SavedFiles } from './files.ts';
import { type HardwareProfile, virtioScsi } from './hardware.ts';
import { MachineDump, type RegisterSource } from './machine-dump.ts';
import { MachineMemory, type SavedMemory } from './memory.ts';
import { type OwnWrite, OwnWrites } from './own-writes.ts';
import { type PhysicalRange, pagesOf, ramOfImage, systemRam } from './ram.ts';
import { type PanicContext, planRewinding } from './rewind.ts';
import { type SavedSnapshot, Snapshot } from './snapshot.ts';
import { MachineStop } from './stop.ts';

export interface MachineOptions {
  /** SHA-256 of bytes, 32 bytes: the digests of a loaded crash kernel. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  readonly hardware?: HardwareProfile;
  /** The hardware watchdog; undefined: the machine has none. */
  readonly watchdogSeconds?: number;
  /** How long a run may take in virtual time; 3600. */
  readonly horizonSeconds?: number;
  /** Size of the raw dump partition; its default holds all RAM. */
  readonly dumpPartitionBytes?: number;
  /** Size of the partition with the file system that kdump writes to. */
  readonly filesPartitionBytes?: number;
}

/** Plain data (structured clone): a machine between two steps. */
export interface SavedMachine {
  readonly now: number;
  readonly memory: SavedMemory;
  readonly cpus: readonly SavedCpu[];
  readonly disk: SavedDisk;
  readonly files: SavedFiles;
  readonly ownPlaces: readonly PhysicalRange[];
  readonly ownWrites: readonly OwnWrite[];
  readonly resident: readonly (readonly [name: string, code: ResidentCode])[];
  readonly edits: readonly EditNote[];
}

const partitionReserve = 64 * 1024 * 1024;

export class Machine {
  readonly name: string;
  /** The input, untouched. */
  readonly input: Dump;
  /**
   * The undamaged kernel of the input: types, symbols and text as compiler and linker left them.
   */
  readonly kernel: Kernel;
  readonly hardware: HardwareProfile;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  readonly memory: MachineMemory;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly files: FileArea;
  readonly cpus: readonly Cpu[];
  /** What the kernel calls System RAM. */
  readonly ram: readonly PhysicalRange[];
  readonly panic: PanicContext;
  readonly ownWrites: OwnWrites;
  /** Everything that was changed before the instant. */
  readonly edits: EditNote[];
  readonly #resident: Map<string, ResidentCode>;
  readonly #startTime: number;
  #space: AddressSpace | undefined;
  #generation = -1;

  /** The machine of any vmcore, rewound to its panic. Throws DumpErrors of the dump's kernel. */
  static fromDump(dump: Dump, options: MachineOptions): Machine {
    return new Machine(dump, options, undefined);
  }

  /** A machine as `save` left it; `dump` and `options` must be those that it was made from. */
  static restore(dump: Dump, options: MachineOptions, saved: SavedMachine): Machine {
    return new Machine(dump, options, saved);
  }

  private constructor(dump: Dump, options: MachineOptions, saved: SavedMachine | undefined) {
    this.name = dump.name;
    this.input = dump;
    this.kernel = openKernel(dump);
    this.hardware = options.hardware ?? virtioScsi;
    this.sha256 = options.sha256;
    this.clock = new Clock(limitsOf(options), saved?.now);
    this.ram = ramOf(this.kernel, dump);
    const topPfn = Math.max(0, ...this.ram.map((range) => pagesOf(range, dump.pageSize).end));
    this.memory = new MachineMemory(dump, topPfn, saved?.memory);
    this.#startTime = systemInfo(this.kernel).time ?? Math.floor(dump.time ?? 0);
    const partitions = partitionsFor(options, this.ram);
    this.disk = new Disk(this.clock, this.hardware.disk, partitions, saved?.disk);
    this.files = new FileArea(this.disk, saved?.files);
    this.ownWrites = new OwnWrites(dump.pageSize, saved?.ownPlaces, saved?.ownWrites);
    this.#resident = new Map(saved?.resident);
    const around: CpuSurroundings = {
      memory: this.memory,
      clock: this.clock,
      hardware: this.hardware,
      kernel: this.kernel,
      ownWrites: this.ownWrites,
      resident: this.#resident,
    };
    const rewinding = planRewinding(this.kernel);
    this.panic = rewinding.panic;
    this.cpus = (saved?.cpus ?? rewinding.cpus).map((cpu) => new Cpu(around, cpu));
    this.edits = [...(saved?.edits ?? rewinding.remarks)];
    if (saved === undefined) for (const edit of rewinding.edits) this.#rewind(edit);
  }

  get panicCpu(): Cpu {
    return this.cpu(this.panic.cpu);
  }

  cpu(number: number): Cpu {
    const found = this.cpus.find((cpu) => cpu.number === number);
    assert(found !== undefined, `the machine has a CPU ${number}`);
    return found;
  }

  /**
   * Kernel memory as it is now, through the kernel's own page tables: for set-up, not for methods.
   */
  get virtual(): AddressSpace {
    if (this.#space === undefined || this.#generation !== this.memory.generation) {
      const root = this.kernel.memory.root;
      this.#space = new AddressSpace(new PhysicalMemory(this.memory), root);
      this.#generation = this.memory.generation;
    }
    return this.#space;
  }

  /** A view of an object in memory as it is now, through the kernel's page tables. */
  object(type: string, address: bigint): KernelObject {
    return viewObject({ memory: this.virtual, types: this.kernel.types }, type, address);
  }

  /** Changes memory before the instant, on record. Read-only pages are no hindrance. */
  edit(edit: PlannedEdit): void {
    const before = this.virtual.read(edit.address, edit.bytes.length).slice();
    this.poke(edit.address, edit.bytes);
    this.edits.push(editNote(edit, before));
  }

  /** Where the input lacks the page nothing is reset: whoever needs it will find it lacking. */
  #rewind(edit: PlannedEdit): void {
    try {
      this.edit(edit);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      this.edits.push({ what: `${edit.what}: not reset, it is not in the input` });
    }
  }

  /** Changes memory through the kernel's page tables, off the record: the caller notes it. */
  poke(address: bigint, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const length = Math.min(4096 - Number(at & 0xfffn), bytes.length - done);
      this.memory.write(this.virtual.translate(at).physical, bytes.subarray(done, done + length));
      done += length;
    }
  }

  /** Code that is not the kernel's own, as a loaded module would bring it. */
  placeCode(name: string, address: bigint, bytes: Uint8Array): void {
    this.poke(address, bytes);
    this.#resident.set(name, { space: 'kernel', address, bytes });
  }

  /** Code that runs at its physical address, as it is in memory now: executed by name later. */
  noteCode(name: string, range: PhysicalRange): void {
    const address = BigInt(range.start);
    const memory = new PhysicalMemory(this.memory);
    const bytes = memory.read(address, range.end - range.start).slice();
    this.#resident.set(name, { space: 'physical', address, bytes });
  }

  /**
   * Sends an NMI to a CPU and lets the time of its delivery pass; false: the CPU did not take it.
   */
  sendNmi(to: Cpu): boolean {
    this.clock.spend(this.hardware.cpu.nmiNs, `NMI to CPU ${to.number}`);
    if (to.state === 'dead') return false;
    to.state = 'in NMI';
    return true;
  }

  /** Lets the time pass that work on `amount` units takes at `perSecond` of them. */
  work(amount: number, perSecond: number, what: string): void {
    this.clock.spend((amount / perSecond) * 1e9, what);
  }

  /** The battery-backed clock: seconds since 1970. */
  get time(): number {
    return this.#startTime + Math.floor(this.clock.now / second);
  }

  /** The reset at the end of a run: only the disk is looked at after it. */
  reboot(): void {
    this.clock.spend(this.hardware.boot.firmwareNs, 'firmware');
  }

  /** Memory as it is now, whatever is written later. */
  snapshot(saved?: SavedSnapshot): Snapshot {
    return new Snapshot(this.memory, saved);
  }

  /** The machine as a dump: of its memory as it goes on changing, or of a snapshot of it. */
  asDump(image: MemoryImage = this.memory, source: RegisterSource = 'machine'): Dump {
    return new MachineDump(image, this.input, this.cpus, source);
  }

  /** What an error of a read means to the machine: the CPU's fault, or a hole in the input. */
  stopOf(error: DumpError): MachineStop {
    const { physical, virtual } = error.where;
    const address = virtual ?? physical;
    const object = address === undefined ? 'a value in memory' : `0x${address.toString(16)}`;
    if (physical !== undefined && this.isRam(Number(physical))) {
      return new MachineStop('lacking', `input filtered: ${error.message}`, object, error);
    }
    return new MachineStop('nested fault', error.message, object, error);
  }

  isRam(physical: number): boolean {
    return this.ram.some((range) => physical >= range.start && physical < range.end);
  }

  save(): SavedMachine {
    return {
      now: this.clock.now,
      memory: this.memory.save(),
      cpus: this.cpus.map((cpu) => cpu.save()),
      disk: this.disk.save(),
      files: this.files.save(),
      ownPlaces: [...this.ownWrites.places],
      ownWrites: [...this.ownWrites.list],
      resident: [...this.#resident],
      edits: [...this.edits],
    };
  }
}

function limitsOf(options: MachineOptions): Clock['limits'] {
  const horizonNs = (options.horizonSeconds ?? 3600) * second;
  if (options.watchdogSeconds === undefined) return { horizonNs };
  return { horizonNs, watchdogNs: options.watchdogSeconds * second };
}

function ramOf(kernel: Kernel, dump: Dump): PhysicalRange[] {
  try {
    return systemRam(kernel, kernel.symbol('iomem_resource').address);
  } catch (error) {
    if (error instanceof DumpError) return ramOfImage(dump);
    throw error;
  }
}

function partitionsFor(options: MachineOptions, ram: readonly PhysicalRange[]): Partition[] {
  const bytes = ram.reduce((sum, range) => sum + range.end - range.start, 0) + partitionReserve;
  return partitionsOf([
    { use: 'dump', size: options.dumpPartitionBytes ?? bytes },
    { use: 'files', size: options.filesPartitionBytes ?? bytes },
  ]);
}
