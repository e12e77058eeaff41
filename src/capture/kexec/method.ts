/**
 * kexec, as kdump works today: the panicking kernel stops its other CPUs, notes all registers and
 * jumps into a second kernel that was loaded before; that one reads the old memory as /proc/vmcore,
 * filters it and writes a file. Source: kernel/{panic,kexec_core,crash_core}.c,
 * arch/x86/kernel/{crash,reboot,machine_kexec_64}.c, arch/x86/purgatory, fs/proc/vmcore.c.
 */

import { type PageLayout, pageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import { noteRanges } from '../../machine/crash-content.ts';
import { controlPagesAt, transitionMembers } from '../../machine/crash-image.ts';
import { type CrashKernel, crashKernelOf } from '../../machine/crash-kernel.ts';
import type { Machine } from '../../machine/machine.ts';
import { purgatoryCode } from '../../machine/purgatory.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { descriptions } from '../catalogue.ts';
import type { CaptureOptions, CaptureTargets, DumpMethod } from '../method.ts';
import { saveFrom } from '../save-file.ts';
import { backupRoom, placeBackup } from './backup.ts';
import { bootStages } from './capture-kernel.ts';
import { jumpStages } from './jump.ts';
import { panicStages, vmcoreinfoBytes } from './panic.ts';
import { finalName, incompleteName, type KexecState } from './state.ts';

export const kexec: DumpMethod<KexecState> = {
  ...descriptions.kexec,
  partition: 'files',
  prepare,
  stages: () => [...panicStages, ...jumpStages, ...bootStages],
  targets,
  save: ({ files }, sink) => saveFrom(files, [finalName, incompleteName], sink),
};

/** `kexec -p` at boot, and the capture kernel's configuration. */
function prepare(machine: Machine, options: CaptureOptions): KexecState {
  const layout = pageLayout(machine.kernel);
  const isOld = options.generation === '2004';
  const crash = crashKernelOf(machine, layout, isOld ? backupRoom : 0);
  machine.ownWrites.declare([crash.region, ...noteRanges(machine), ...variables(machine)]);
  const start = BigInt(machine.kernel.types.offsetOf('struct kimage', 'start'));
  return {
    options,
    layout,
    entry: Number(machine.virtual.u64(crash.image + start)),
    purgatory: notePurgatory(machine, crash),
    crash,
    backup: isOld ? placeBackup(machine, crash, controlRanges(machine, layout, crash)) : undefined,
    image: 0n,
    start: 0,
    control: { topTable: 0, code: 0 },
    notes: [],
    ram: [],
  };
}

/** What the dying kernel changes besides its notes: numbers, pointers, VMCOREINFO's text. */
function variables({ kernel, virtual }: Machine): PhysicalRange[] {
  const at = (address: bigint, size: number): PhysicalRange => {
    const start = Number(virtual.translate(address).physical);
    return { start, end: start + size };
  };
  const named = (name: string): bigint[] => {
    const symbol = kernel.symbols.inKernel(name);
    return symbol === undefined ? [] : [symbol.address];
  };
  const words = [
    '__kexec_lock', 'crashing_cpu', 'crash_ipi_issued', 'waiting_for_crash_ipi', 'vmcoreinfo_data',
    'vmcoreinfo_size',
  ]; // biome-ignore format: one list
  const mutex = named('kexec_mutex').map(
    (address) => address + BigInt(kernel.types.offsetOf('struct mutex', 'owner')),
  );
  const texts = ['vmcoreinfo_data', 'vmcoreinfo_data_safecopy']
    .flatMap(named)
    .map((pointer) => virtual.u64(pointer))
    .filter((text) => text !== 0n);
  return [
    ...[...words.flatMap(named), ...mutex].map((address) => at(address, 8)),
    ...texts.map((address) => at(address, vmcoreinfoBytes)),
  ];
}

/** Purgatory itself is in nobody's digest: whoever jumps into it executes what is there. */
function notePurgatory(machine: Machine, { segments, digest }: CrashKernel): string[] {
  const code = digest === undefined ? [] : purgatoryCode(segments, digest);
  return code.map((range, index) => {
    const name = index === 0 ? 'purgatory' : `purgatory, part ${index + 1}`;
    machine.noteCode(name, range);
    return name;
  });
}

/** The page that relocate_kernel is copied to, and the top page table for it. */
function controlRanges(
  { kernel, virtual }: Machine,
  layout: PageLayout,
  { image }: CrashKernel,
): PhysicalRange[] {
  const pointer = (path: string): bigint =>
    virtual.u64(image + BigInt(kernel.types.offsetOf('struct kimage', path)));
  const page = (pointer('control_code_page') - layout.vmemmap) / BigInt(layout.size);
  const { code, topTable } = controlPagesAt(kernel, Number(page) * basePageSize, (member) =>
    Number(virtual.translate(pointer(member)).physical),
  );
  return [code, topTable].map((start) => ({ start, end: start + basePageSize }));
}

/** Purgatory and the control pages lie in the reserved region: loaded images are built there. */
function targets(machine: Machine, { crash, layout, backup }: KexecState): CaptureTargets {
  const { types } = machine.kernel;
  const { virtual } = machine;
  const { image, region, segments, digest } = crash;
  const pageAt = (address: bigint): PhysicalRange => {
    const start = Number(virtual.translate(address).physical & ~0xfffn);
    return { start, end: start + basePageSize };
  };
  const pointer = (path: string): bigint =>
    virtual.u64(image + BigInt(types.offsetOf('struct kimage', path)));
  const tables = transitionMembers
    .filter((member) => types.hasMember('struct kimage', `arch.${member}`))
    .map((member) => pointer(`arch.${member}`))
    .filter((table) => table !== 0n);
  const start = Number(virtual.translate(image).physical);
  return {
    code: [
      ...(digest === undefined ? [] : purgatoryCode(segments, digest)),
      controlRanges(machine, layout, crash)[0]!,
    ],
    structures: [
      { start, end: start + types.sizeOf('struct kimage') },
      ...tables.map(pageAt),
      ...(backup === undefined ? [] : [backup.words]),
    ],
    reserved: [region],
  };
}
