/**
 * A copy of the memory of a machine that runs, as `cp /proc/kcore` makes one: page after page while
 * all CPUs write. It is the reference that tears: what belongs together is read at different times.
 */

import type { Machine } from '../../machine/machine.ts';
import { descriptions } from '../catalogue.ts';
import { selectedImage, selectPages } from '../filter.ts';
import { live, prepareLive, renameLive } from '../live/method.ts';
import type { LiveState } from '../live/state.ts';
import { writeLive } from '../live/write.ts';
import type { CaptureTools, DumpMethod, Stage, StageResult } from '../method.ts';

const stages: readonly Stage<LiveState>[] = [
  { name: 'copy', run: copy },
  { name: 'rename', run: renameLive },
];

export const liveNaive: DumpMethod<LiveState> = {
  ...descriptions['live-naive'],
  partition: live.partition,
  prepare: prepareLive,
  stages: () => stages,
  targets: live.targets,
  save: live.save,
};

function copy(machine: Machine, state: LiveState, tools: CaptureTools): StageResult {
  const { level } = state.options;
  const selection = selectPages(machine.panicCpu.memory, state.layout, machine.ram, level);
  return writeLive(machine, state, selectedImage(machine.memory, selection), tools);
}
