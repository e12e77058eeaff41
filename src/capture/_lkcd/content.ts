/** What LKCD's header says, from the crashed kernel's memory. */

import type { DumpContent } from '../../dump/content.ts';
import { headerArea } from '../../dump/lkcd/write.ts';
import { registersOf } from '../../dump/notes.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import type { Machine } from '../../machine/machine.ts';
import { CpuSlot } from '../cpu-slots.ts';
import type { LkcdState } from './state.ts';

/** Everything before the records of a file that will have so many pages. */
export function headerOf(machine: Machine, state: LkcdState, pages: number): Uint8Array {
  const { level, compression: name } = state.options;
  const compression = name === 'rle' || name === 'zlib' ? name : 'none';
  return headerArea(contentOf(machine, state), { level, compression }, pages);
}

/** Without pages. */
function contentOf(machine: Machine, state: LkcdState): DumpContent {
  const { kernel, panicCpu, memory, panic } = machine;
  const name = kernel.types.offsetOf('struct uts_namespace', 'name');
  const uts = kernel.symbol('init_uts_ns').address + BigInt(name);
  const slots = machine.cpus.map((_, index) => {
    const at = state.slots + BigInt(index * CpuSlot.size);
    return CpuSlot.read(panicCpu.memory.read(at, CpuSlot.size));
  });
  return {
    image: {
      name: machine.name,
      pageSize: memory.pageSize,
      endPfn: memory.endPfn,
      state: () => 'missing',
      readPage: () => ({ state: 'missing', bytes: undefined }),
      runs: () => [],
    },
    uts: NewUtsname.read(panicCpu.memory.read(uts, NewUtsname.size)),
    time: state.time,
    notes: [],
    vmcoreinfo: state.vmcoreinfo,
    physBase: state.physBase,
    panic: {
      message: panic.message,
      task: panic.task,
      cpu: slots.findIndex(({ valid, number }) => valid === 1 && number === panic.cpu),
    },
    cpus: slots.map(({ registers, task, stack }) => ({
      registers: registersOf(registers),
      task,
      stack,
    })),
  };
}
