/**
 * A crashed machine brought back to life: the memory of a dump, copied on write, with CPUs, a disk
 * and a clock around it, at the instant of the panic. Whatever was changed to get there is listed.
 */

import { assert, attempt, DumpError } from '../bytes/errors.ts';
import type { Dump, MemoryImage } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { AddressSpace } from '../linux/memory.ts';
import { type KernelObject, viewObject } from '../linux/objects.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import {
  type Blueprint,
  blueprintOf,
  limitsOf,
  type MachineOptions,
  partitionsFor,
  topPfnOf,
} from './blueprint.ts';
import { Clock, second } from './clock.ts';
import { Cpu, type CpuSurroundings, type ResidentCode, type SavedCpu } from './cpu.ts';
import { type Damage, type DamageResult, damageMemory } from './damage.ts';
import { type DeviceOrigin, programPins, requestsInFlight } from './devices.ts';
import { Disk, type SavedDisk } from './disk.ts';
import { type EditNote, editNote, type PlannedEdit } from './edit.ts';
import { FileArea, type SavedFiles } from './files.ts';
import { type HardwareProfile, virtioScsi } from './hardware.ts';
import { InterruptController, type InterruptLine } from './interrupts.ts';
import { MachineDump, type RegisterSource } from './machine-dump.ts';
import { MachineMemory, type SavedMemory } from './memory.ts';
import { Network, type SavedNetwork } from './network.ts';
import { Nic, type SavedNic } from './nic.ts';
import { OutsideFiles, type SavedOutside } from './outside.ts';
import { type OwnWrite, OwnWrites } from './own-writes.ts';
import type { PhysicalRange } from './ram.ts';
import type { PanicContext } from './rewind.ts';
import { isRunning, RunningCpus, type SavedRunning, tryWrite } from './running.ts';
import { type SavedSchedule, Schedule, type ScheduledWrite } from './schedule.ts';
import { type SavedSnapshot, Snapshot } from './snapshot.ts';
import { MachineStop } from './stop.ts';
import { type Activity, Trace, type TraceEvent } from './trace.ts';

/** A machine without its memory. */
interface SavedParts {
  readonly now: number;
  readonly cpus: readonly SavedCpu[];
  readonly disk: SavedDisk;
  readonly otherDisks: readonly SavedDisk[];
  readonly files: SavedFiles;
  readonly outside: SavedOutside;
  readonly nic: SavedNic;
  readonly network: SavedNetwork;
  readonly ownPlaces: readonly PhysicalRange[];
  readonly ownWrites: readonly OwnWrite[];
  readonly resident: readonly (readonly [name: string, code: ResidentCode])[];
  readonly edits: readonly EditNote[];
  readonly interrupts: readonly InterruptLine[];
  readonly firmware: Firmware;
  readonly watchdogNs: number | undefined;
  readonly powerLossNs: number | undefined;
  readonly schedule: SavedSchedule;
  readonly running: SavedRunning;
  readonly activity: readonly Activity[];
}

/** What a reset of the machine does. Plain data. */
export interface Firmware {
  /** Whether memory outlives a reset. */
  keepsMemory: boolean;
  bootNs: number;
}

/** Plain data (structured clone): a machine between two steps. */
export interface SavedMachine extends SavedParts {
  readonly memory: SavedMemory;
}

export class Machine {
  readonly blueprint: Blueprint;
  readonly name: string;
  readonly memory: MachineMemory;
  readonly clock: Clock;
  /** Each on an adapter of its own. */
  readonly disks: readonly Disk[];
  /** The first one: it has the file system. */
  readonly disk: Disk;
  readonly files: FileArea;
  readonly outside: OutsideFiles;
  readonly nic: Nic;
  readonly network: Network;
  readonly cpus: readonly Cpu[];
  readonly ownWrites: OwnWrites;
  /** Everything that was changed before the instant. */
  readonly edits: EditNote[];
  readonly interrupts: InterruptController;
  readonly firmware: Firmware;
  readonly #trace: Trace;
  readonly #schedule: Schedule;
  readonly #running: RunningCpus;
  readonly #resident: Map<string, ResidentCode>;
  #space: AddressSpace | undefined;
  #generation = -1;

  /** The machine of any vmcore, rewound to its panic. Throws DumpErrors of the dump's kernel. */
  static fromDump(dump: Dump, options: MachineOptions): Machine {
    return Machine.of(blueprintOf(dump, options));
  }

  /** A machine at its panic. */
  static of(blueprint: Blueprint): Machine {
    const { input, rewinding } = blueprint;
    const machine = new Machine(
      blueprint,
      new MachineMemory(input, topPfnOf(blueprint)),
      undefined,
    );
    for (const edit of rewinding.edits) machine.#rewind(edit);
    machine.#connectDevices();
    return machine;
  }

  /** A machine as `save` left it, of a blueprint of the same dump and options. */
  static restore(blueprint: Blueprint, saved: SavedMachine): Machine {
    const memory = new MachineMemory(blueprint.input, topPfnOf(blueprint), saved.memory);
    return new Machine(blueprint, memory, saved);
  }

  private constructor(blueprint: Blueprint, memory: MachineMemory, saved: SavedParts | undefined) {
    const { input, kernel, options, ram, rewinding } = blueprint;
    this.blueprint = blueprint;
    this.name = input.name;
    this.memory = memory;
    this.#trace = new Trace(saved?.activity);
    this.clock = new Clock(limitsOf(options, saved), saved?.now);
    this.clock.onPass = (until) => this.#carryOut(until);
    const savedDisks = saved === undefined ? [] : [saved.disk, ...saved.otherDisks];
    this.disks = partitionsFor(options, ram).map((partitions, index) => {
      const lane = index === 0 ? 'disk' : `disk ${index + 1}`;
      const diskSaved = savedDisks[index];
      return new Disk(this.clock, this.hardware.disk, partitions, diskSaved, this.#trace, lane);
    });
    this.disk = this.disks[0]!;
    this.interrupts = new InterruptController(rewinding.panic.cpu, saved?.interrupts);
    const bootNs = this.hardware.boot.firmwareNs;
    this.firmware = { ...(saved?.firmware ?? { keepsMemory: true, bootNs }) };
    this.#schedule = new Schedule(saved?.schedule);
    this.#running = new RunningCpus(blueprint.running, saved?.running);
    this.files = new FileArea(this.disk, saved?.files);
    this.outside = new OutsideFiles(saved?.outside);
    this.nic = new Nic(saved?.nic);
    const wire = this.hardware.network;
    this.network = new Network(this.clock, wire, this.#trace, saved?.network);
    this.ownWrites = new OwnWrites(input.pageSize, saved?.ownPlaces, saved?.ownWrites);
    this.#resident = new Map(saved?.resident);
    const around: CpuSurroundings = {
      memory,
      clock: this.clock,
      hardware: this.hardware,
      kernel,
      ownWrites: this.ownWrites,
      resident: this.#resident,
      trace: this.#trace,
      footprints: blueprint.footprints,
    };
    this.cpus = (saved?.cpus ?? rewinding.cpus).map((cpu) => new Cpu(around, cpu));
    this.edits = [...(saved?.edits ?? rewinding.remarks)];
  }

  /** The input, untouched. */
  get input(): Dump {
    return this.blueprint.input;
  }

  /** The undamaged kernel of the input. */
  get kernel(): Kernel {
    return this.blueprint.kernel;
  }

  get hardware(): HardwareProfile {
    return this.blueprint.options.hardware ?? virtioScsi;
  }

  get sha256(): MachineOptions['sha256'] {
    return this.blueprint.options.sha256;
  }

  /** What the kernel calls System RAM. */
  get ram(): readonly PhysicalRange[] {
    return this.blueprint.ram;
  }

  get panic(): PanicContext {
    return this.blueprint.rewinding.panic;
  }

  /** Whether the devices' state is the real one of the input's machine. */
  get deviceOrigin(): DeviceOrigin {
    return this.blueprint.options.devices === undefined ? 'synthetic' : 'side file';
  }

  /** Told of everything that happens; costs nothing while it is unset. */
  get trace(): Trace['listener'] {
    return this.#trace.listener;
  }

  set trace(listener: Trace['listener']) {
    this.#trace.listener = listener;
  }

  /** Who was at what, and when: for pictures. */
  get activity(): readonly Activity[] {
    const isHeld = ({ state }: Cpu): boolean => state === 'in NMI' || state === 'frozen';
    const spans = this.cpus.filter(isHeld).map(({ number, state }): Activity => {
      const lane = `CPU ${number}`;
      const last = this.#trace.activity.findLast((span) => span.lane === lane);
      return { lane, startNs: last?.endNs ?? 0, endNs: this.clock.now, what: state };
    });
    return [...this.#trace.activity, ...spans];
  }

  /** From the instant on; undefined: the machine has none. */
  setWatchdog(seconds: number | undefined): void {
    const watchdogNs = seconds === undefined ? undefined : seconds * second;
    this.clock.limits = { ...this.clock.limits, watchdogNs };
  }

  /** Nanoseconds from the instant. */
  setPowerLoss(powerLossNs: number): void {
    this.clock.limits = { ...this.clock.limits, powerLossNs };
  }

  /** A machine that goes its own way from here on. Pages are shared until one side writes them. */
  fork(): Machine {
    return new Machine(this.blueprint, this.memory.fork(), this.#parts());
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
    const isTaken = to.state !== 'dead' && to.condition.takesNmi;
    const detail = isTaken ? 'taken' : 'not taken';
    this.tell({ what: 'nmi', cpu: to.number, name: `NMI to CPU ${to.number}`, detail });
    if (isTaken) to.state = 'in NMI';
    return isTaken;
  }

  /** Lets time pass in which the CPU that runs the method is at `what`. */
  spend(ns: number, what: string): void {
    const start = this.clock.now;
    this.clock.spend(ns, what);
    this.#trace.span(`CPU ${this.panic.cpu}`, start, this.clock.now, what);
  }

  /** Waits for something: as `spend`, and told. */
  wait(ns: number, what: string): void {
    this.tell({ what: 'wait', name: what });
    this.spend(ns, what);
  }

  /** Lets the time pass that work on `amount` units takes at `perSecond` of them. */
  work(amount: number, perSecond: number, what: string): void {
    this.spend((amount / perSecond) * 1e9, what);
  }

  tell(event: Omit<TraceEvent, 'ns'>): void {
    this.#trace.listener?.({ ns: this.clock.now, ...event });
  }

  /** Changes memory as a fault does, not as a method; nothing is changed where it says so. */
  damage(damage: Damage): DamageResult {
    const result = damageMemory(this, damage);
    this.tell({ what: 'write', name: damage.what, detail: `${damage.by}: ${result}` });
    return result;
  }

  /** Carried out when the clock passes its time, unless its CPU or device was stopped before. */
  schedule(write: ScheduledWrite): void {
    this.#schedule.add(write);
  }

  /** A device that was reset does nothing any more that the crashed kernel told it to. */
  silence(device: string): void {
    this.#schedule.silence(device);
  }

  /** No method stops the CPUs for good: what they change goes on, of the panicking one, too. */
  leaveCpusAlone(): void {
    this.#running.leaveAlone();
  }

  /** The battery-backed clock: seconds since 1970. */
  get time(): number {
    return this.blueprint.startTime + Math.floor(this.clock.now / second);
  }

  /** The reset at the end of a run: only the disk is looked at after it. */
  reboot(): void {
    this.spend(this.firmware.bootNs, 'firmware');
  }

  /** What the disks keep of the run, whatever ended it. */
  settleDisks(): void {
    for (const disk of this.disks) {
      if (this.clock.isPowerLost) disk.losePower();
      else disk.settle();
    }
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

  /** Refers to pages and disk contents and copies none: they never change any more. */
  save(): SavedMachine {
    return { ...this.#parts(), memory: this.memory.save() };
  }

  #parts(): SavedParts {
    return {
      now: this.clock.now,
      cpus: this.cpus.map((cpu) => cpu.save()),
      disk: this.disk.save(),
      otherDisks: this.disks.slice(1).map((disk) => disk.save()),
      files: this.files.save(),
      outside: this.outside.save(),
      nic: this.nic.save(),
      network: this.network.save(),
      ownPlaces: [...this.ownWrites.places],
      ownWrites: [...this.ownWrites.list],
      resident: [...this.#resident],
      edits: [...this.edits],
      interrupts: this.interrupts.save(),
      firmware: { ...this.firmware },
      watchdogNs: this.clock.limits.watchdogNs,
      powerLossNs: this.clock.limits.powerLossNs,
      schedule: this.#schedule.save(),
      running: this.#running.save(),
      activity: this.#trace.activity.map((span) => ({ ...span })),
    };
  }

  #connectDevices(): void {
    const { devices } = this.blueprint.options;
    if (devices === undefined) return;
    programPins(this.interrupts, devices);
    const { inFlight, remarks } = requestsInFlight(this.memory, devices);
    this.disk.condition.inFlight = inFlight;
    for (const what of remarks) this.edits.push({ what });
  }

  /** What others than the method do to memory until then. */
  #bytesOf({ how, physical, bytes }: ScheduledWrite): Uint8Array {
    if (how !== 'flip') return bytes;
    const now = attempt(() => new PhysicalMemory(this.memory).read(BigInt(physical), bytes.length));
    return now === undefined ? bytes : now.map((byte, at) => byte ^ bytes[at]!);
  }

  #carryOut(until: number): void {
    for (const write of this.#schedule.due(until)) {
      // In the order of their times: both may write the same place.
      this.#running.pass(this, write.atNs);
      const { by } = write;
      if ('cpu' in by && !this.cpus.some((cpu) => cpu.number === by.cpu && isRunning(cpu)))
        continue;
      const writer = 'device' in by ? 'device' : 'CPU';
      const isDone = tryWrite(this.memory, BigInt(write.physical), this.#bytesOf(write), writer);
      const detail = isDone ? 'done' : 'no memory';
      this.#trace.listener?.({
        ns: write.atNs,
        what: 'scheduled write',
        name: write.what,
        detail,
      });
    }
    this.#running.pass(this, until);
  }
}
