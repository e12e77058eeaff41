/** What resident parts keep of each CPU: its registers, its task, by the number of its slot. */

import { array, struct, u32, u64 } from '../bytes/struct.ts';
import { registerNames } from '../dump/types.ts';
import type { Cpu } from '../machine/cpu.ts';
import type { Machine } from '../machine/machine.ts';

export const CpuSlot = struct(
  'cpu_slot',
  {
    number: u32('CPU number.'),
    valid: u32('0: this CPU did not answer; the rest is zero.'),
    task: u64('Its current task_struct.'),
    stack: u64("That task's stack."),
    registers: array(u64('In the order of NT_PRSTATUS.'), registerNames.length),
  },
  { size: 240 },
);

/** NR_CPUS_RANGE_END of x86-64. */
export const maxSlots = 8192;

/** A CPU notes itself in its slot of those at `slots`; nothing where its registers are unknown. */
export function writeSlot(machine: Machine, slots: bigint, cpu: Cpu): void {
  const { registers } = cpu;
  if (registers === undefined) return;
  const slot = CpuSlot.encode({
    number: cpu.number,
    valid: 1,
    task: cpu.task,
    stack: cpu.stack,
    registers: registerNames.map((name) => registers[name]),
  });
  const index = machine.cpus.indexOf(cpu);
  cpu.write(slots + BigInt(index * CpuSlot.size), slot, `registers of CPU ${cpu.number}`);
}
