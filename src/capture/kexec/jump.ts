/**
 * From the old kernel's last instruction to the capture kernel's first: machine_kexec, purgatory.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { AddressSpace } from '../../linux/memory.ts';
import type { Machine } from '../../machine/machine.ts';
import { digestedBytes, digestMatches } from '../../machine/purgatory.ts';
import { MachineStop } from '../../machine/stop.ts';
import { expectMapping, naming, orTripleFault, tablesAt } from '../jump.ts';
import { done, type Stage, type StageResult } from '../method.ts';
import { copyBackup } from './backup.ts';
import { orNestedPanic, panicking } from './panic.ts';
import type { KexecState } from './state.ts';

export const jumpStages: readonly Stage<KexecState>[] = [
  { name: 'machine_kexec', run: leaveKernel },
  { name: 'purgatory', run: purgatory },
];

/** include/linux/kexec.h: flags of an entry of the list of pages to move. */
const Entry = { destination: 1n, indirection: 2n, done: 4n, source: 8n } as const;
const pageMask = ~0xfffn;
/** KEXEC_CONTROL_CODE_MAX_SIZE: as much of relocate_kernel is copied. */
const controlCodeSize = 2048;
const maxEntries = 1 << 22;

/** Copies relocate_kernel to the control page, loads the new page tables and jumps. */
function leaveKernel(machine: Machine, state: KexecState): StageResult {
  const { kernel, panicCpu: cpu } = machine;
  const relocate = kernel.symbol('relocate_kernel').address;
  const code = BigInt(state.control.code);
  orNestedPanic(machine, () => {
    cpu.executePath({ ...panicking, stage: 'machine_kexec' }, 'machine_kexec');
    const copy = cpu.memory.read(relocate, controlCodeSize).slice();
    naming(machine, 'control page', () => cpu.write(cpu.pageOffset + code, copy, 'control page'));
    cpu.executePath({ ...panicking, stage: 'relocate_kernel' }, 'relocate_kernel');
  });
  // No interrupt descriptors any more: whatever faults from here on resets the CPU.
  return orTripleFault(machine, () => {
    const tables = tablesAt(machine, state.control.topTable);
    naming(machine, 'transition page table', () => {
      expectMapping(tables, relocate, code, 'relocate_kernel');
      expectMapping(tables, code, code, 'control page');
    });
    const moved = naming(machine, 'kimage.head', () =>
      movePages(machine, tables, cpu.pointer('struct kimage', state.image, 'head')),
    );
    const start = BigInt(state.start);
    naming(machine, 'kimage.start', () =>
      expectMapping(tables, start, start, 'entry of the new image'),
    );
    return { ...done, pages: moved };
  });
}

/**
 * The list of pages to move: a crash image is loaded in place, so its list is only its end.
 * Whatever else a damaged one moves is damage, and none of the method's own writes.
 */
function movePages(machine: Machine, tables: AddressSpace, head: bigint): number {
  let entry = head;
  let list = 0n;
  let destination = 0n;
  let moved = 0;
  for (let count = 0; count < maxEntries; count++) {
    const address = entry & pageMask;
    if ((entry & Entry.destination) !== 0n) destination = address;
    else if ((entry & Entry.indirection) !== 0n) list = address;
    else if ((entry & Entry.done) !== 0n) return moved;
    else if ((entry & Entry.source) !== 0n) {
      machine.memory.write(destination, tables.read(address, 4096).slice());
      destination += 4096n;
      moved++;
    }
    if (list === 0n) break;
    entry = tables.u64(list);
    list += 8n;
  }
  throw new DumpError('corrupt', 'the list of pages to move has no end');
}

/** Hashes the loaded segments; a mismatch loops for ever. */
function purgatory(machine: Machine, state: KexecState): StageResult {
  const { digest } = state.crash;
  // Elsewhere is the middle of its code, its data, or no code at all.
  if (state.start !== state.entry) {
    const cause = `kimage.start 0x${state.start.toString(16)} is not the entry of the new image`;
    throw new MachineStop('wild jump', cause, 'kimage.start');
  }
  if (digest === undefined) return { ...done, remarks: ['this image has no digest to check'] };
  machine.panicCpu.execute(...state.purgatory);
  const bytes = digestedBytes(machine, digest);
  machine.work(bytes, machine.hardware.cpu.hashBytesPerSecond, 'SHA-256');
  if (!digestMatches(machine, digest)) {
    machine.clock.hang(
      'purgatory: the digest does not match, it loops for ever',
      'purgatory digest',
    );
  }
  if (state.backup === undefined) return { ...done, bytes };
  const { backup } = state;
  return orTripleFault(machine, () => {
    const copied = copyBackup(machine, backup);
    machine.work(copied, machine.hardware.cpu.copyBytesPerSecond, 'backup of the first 640 KB');
    return { ...done, bytes, remarks: [`${copied} bytes of low memory copied`] };
  });
}
