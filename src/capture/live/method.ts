/**
 * A dump of a machine that runs on (Hitachi's livedump of 2012, revived in 2023): all CPUs stand
 * still for an instant, in which every page is write-protected; then they go on, the first write to
 * a page keeps what it held, and a sweep saves the rest. What comes out is memory as it was at that
 * instant. The copies have a queue of bounded size: where the disk is slower than the writers, the
 * dump ends, and says so. Nothing has panicked for it: it is taken just before.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { MemoryImage, Page } from '../../dump/types.ts';
import { pageLayout } from '../../linux/page-layout.ts';
import { utsname } from '../../linux/system.ts';
import { millisecond } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import { descriptions } from '../catalogue.ts';
import { type Selection, selectedImage, selectPages } from '../filter.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  type DumpMethod,
  done,
  type Stage,
  type StageResult,
} from '../method.ts';
import { saveFrom } from '../save-file.ts';
import { CopyQueue } from './copy-queue.ts';
import { finalName, incompleteName, type LiveState } from './state.ts';
import { writeLive } from './write.ts';

/** Pages that the queue has room for: 4 MB. Chosen; what the original had is not in our sources. */
export const queuePages = 1024;

export const live: DumpMethod<LiveState> = {
  ...descriptions.live,
  partition: 'files',
  prepare: prepareLive,
  stages: () => stages,
  targets: () => ({ code: [], structures: [], reserved: [] }),
  save: ({ files }, sink) => saveFrom(files, [finalName, incompleteName], sink),
};

const stages: readonly Stage<LiveState>[] = [
  { name: 'stop_machine', run: stopMachine },
  { name: 'protect, resume, sweep', run: sweep },
  { name: 'rename', run: renameLive },
];

export function prepareLive(machine: Machine, options: CaptureOptions): LiveState {
  const { kernel } = machine;
  machine.leaveCpusAlone();
  return {
    options,
    layout: pageLayout(kernel),
    uts: utsname(kernel),
    physBase: kernel.vmcoreinfo.physBase ?? 0n,
    vmcoreinfo: kernel.vmcoreinfo.source,
    before: [],
  };
}

/** Waits without a limit: a CPU that takes no interrupt keeps all others standing. */
function stopMachine(machine: Machine, state: LiveState): StageResult {
  const { panicCpu } = machine;
  panicCpu.executeKnown('stop_machine', 'stop_machine_cpuslocked', 'multi_cpu_stop');
  state.before = machine.cpus.map((cpu) => cpu.state);
  for (const cpu of machine.cpus) {
    if (cpu === panicCpu) continue;
    const isDeaf = cpu.state === 'dead' || cpu.state === 'spinning' || !cpu.condition.takesIpi;
    machine.spend(machine.hardware.cpu.interruptNs, `stop CPU ${cpu.number}`);
    if (isDeaf) {
      const cause = `CPU ${cpu.number} does not come, and stop_machine() waits for it`;
      machine.clock.hang(cause, `CPU ${cpu.number}`);
    }
    // With interrupts off, until all are let go.
    cpu.state = 'spinning';
  }
  // No tick of its own comes in between either: what it counted would be of another instant.
  panicCpu.state = 'spinning';
  return done;
}

function sweep(machine: Machine, state: LiveState, tools: CaptureTools): StageResult {
  const root = machine.panicCpu.memory;
  const selection = selectPages(root, state.layout, machine.ram, state.options.level);
  const { filterPagesPerSecond } = machine.hardware.cpu;
  machine.work(selection.ram.count, filterPagesPerSecond, 'write protection');
  const queue = new CopyQueue(machine.memory, queuePages);
  for (const [index, cpu] of machine.cpus.entries()) cpu.state = state.before[index] ?? cpu.state;
  try {
    const image = sweptImage(machine, selection, queue);
    const result = writeLive(machine, state, image, tools);
    const most = `${queue.highest} of ${queuePages} pages were in the copy queue at most`;
    return { ...result, remarks: [most] };
  } finally {
    queue.end();
  }
}

/** Each page as it was at the instant; throws `io` once the queue is full. */
function sweptImage(machine: Machine, selection: Selection, queue: CopyQueue): MemoryImage {
  const image = selectedImage(machine.memory, selection);
  return {
    name: image.name,
    pageSize: image.pageSize,
    endPfn: image.endPfn,
    state: (pfn) => image.state(pfn),
    runs: () => image.runs(),
    readPage: (pfn): Page => {
      const kept = queue.take(pfn);
      if (queue.isFull) {
        const cause = `the copy queue is full: more than ${queuePages} pages were written`;
        throw new DumpError('io', cause, { where: { file: 'copy queue' } });
      }
      return kept ?? image.readPage(pfn);
    },
  };
}

export function renameLive(machine: Machine): StageResult {
  machine.wait(millisecond, 'fsync');
  machine.files.rename(incompleteName, finalName);
  return done;
}
