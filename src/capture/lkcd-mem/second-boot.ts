/**
 * The same kernel boots again without firmware: it is told where to look, keeps what it finds
 * there, initialises its devices as at every boot, and writes the dump, important pages first.
 * Source: LKCD's dump_overlay.c, dump_setup.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Values } from '../../bytes/struct.ts';
import { PageFlags } from '../../dump/lkcd/layout.ts';
import { recordEncoder } from '../../dump/lkcd/write.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import type { Machine } from '../../machine/machine.ts';
import { MachineStop } from '../../machine/stop.ts';
import { deviceFile } from '../_lkcd/device-file.ts';
import { type LkcdFile, orEnd } from '../_lkcd/file.ts';
import { inDump } from '../_lkcd/panic.ts';
import { passesTo } from '../_lkcd/passes.ts';
import { execute } from '../_lkcd/resident.ts';
import { orTripleFault } from '../jump.ts';
import { driverWrite, probeDevices } from '../linux-driver.ts';
import { type CaptureOptions, done, failed, type Stage, type StageResult } from '../method.ts';
import { reboot } from '../second-kernel.ts';
import type { LkcdMemState } from './state.ts';
import {
  formatName,
  Handover,
  handoverMagic,
  maxHeader,
  maxPasses,
  StoreReader,
  schemeName,
} from './store.ts';

export const secondKernelCode = 'lkcd second kernel';

export function writingStages({ level }: CaptureOptions): readonly Stage<LkcdMemState>[] {
  const passes = passesTo(level);
  return [
    inDump('one CPU', waitForOthers),
    { name: 'soft boot', run: softBoot },
    { name: 'reservation', run: reserve },
    { name: 'devices', run: probeDevices },
    { name: 'header', run: writeHeader },
    ...passes.map(
      ({ name }, index): Stage<LkcdMemState> => ({
        name: `write ${name}`,
        run: (machine, state) => writePass(machine, state, passes.length - 1 - index),
      }),
    ),
    { name: 'end', run: end },
    { name: 'reboot', run: reboot },
  ];
}

/** `while (num_online_cpus() > 1)`: without a limit. */
function waitForOthers(machine: Machine): StageResult {
  const running = machine.cpus.find((cpu) => cpu !== machine.panicCpu && !cpu.isStopped);
  if (running === undefined) return done;
  const name = `CPU ${running.number}`;
  return machine.clock.hang(`${name} does not go offline, and LKCD waits for it`, name);
}

function softBoot(machine: Machine): StageResult {
  orTripleFault(machine, () => {
    execute(machine, 'dump_boot');
    machine.panicCpu.execute(secondKernelCode);
    return done;
  });
  const { captureKernelNs } = machine.hardware.boot;
  try {
    machine.spend(captureKernelNs, 'boot');
    return done;
  } catch (error) {
    if (!(error instanceof MachineStop) || error.kind !== 'reset') throw error;
  }
  const remark = afterReset(machine);
  machine.spend(captureKernelNs, 'boot');
  return { ...done, remarks: [remark] };
}

/** The firmware runs after all. The boot loader passes crashdump_addr at every boot. */
function afterReset(machine: Machine): string {
  const { firmware } = machine;
  machine.setWatchdog(undefined);
  machine.reboot();
  if (firmware.keepsMemory)
    return 'the watchdog reset the machine while it booted; memory was kept';
  const pages = new Uint8Array(machine.memory.pageSize);
  for (let pfn = 0; pfn < machine.memory.endPfn; pfn++) {
    if (machine.memory.state(pfn) !== 'missing') {
      machine.memory.write(BigInt(pfn * pages.length), pages);
    }
  }
  return 'the watchdog reset the machine while it booted, and the firmware cleared its memory';
}

type Found = Values<typeof Handover.fields>;

function handoverOf(machine: Machine, { bootstrap }: LkcdMemState): Found {
  const memory = new PhysicalMemory(machine.memory);
  return Handover.read(memory.read(BigInt(bootstrap.handover), Handover.size));
}

/** What is not reserved now is used for something else soon. */
function reserve(machine: Machine, state: LkcdMemState): StageResult {
  const found = handoverOf(machine, state);
  const refused = (why: string): StageResult =>
    failed(`${why}: the dump is ignored`, 'saved pages');
  if (found.magic !== handoverMagic) return refused('invalid dump magic');
  if (found.scheme !== schemeName || found.format !== formatName) {
    return refused('another scheme or format');
  }
  const { pageSize, endPfn } = machine.memory;
  const isSane =
    found.bytes <= endPfn * pageSize &&
    found.header <= found.bytes &&
    found.bytes - found.header <= maxHeader &&
    found.passes <= maxPasses &&
    found.counts.every((count) => count <= BigInt(endPfn));
  if (!isSane) return refused('the configuration block makes no sense');
  const pfns = pfnsOf(machine, found);
  if (pfns.some((pfn) => pfn >= endPfn)) return refused('the list of pages makes no sense');
  return { ...done, pages: pfns.length };
}

function pfnsOf(machine: Machine, { list, bytes }: Found): number[] {
  const length = Math.ceil(bytes / machine.memory.pageSize) * 4;
  const words = new PhysicalMemory(machine.memory).read(BigInt(list), length).slice();
  return [...new Uint32Array(words.buffer, words.byteOffset, length / 4)];
}

/** Its own driver, which needs its interrupt: this is a boot like every other. */
function fileOf(machine: Machine, state: LkcdMemState): LkcdFile {
  return deviceFile(machine, state, driverWrite(machine, { retries: 0 }, 'interrupt'));
}

function writeHeader(machine: Machine, state: LkcdMemState): StageResult {
  const found = handoverOf(machine, state);
  const store = new StoreReader(machine, pfnsOf(machine, found));
  const area = store.read(found.header, found.bytes - found.header);
  state.pages = 0;
  return orEnd(state, () => {
    fileOf(machine, state).writeHeader(area);
    return { ...done, bytes: area.length };
  });
}

/** `index`: in the order of saving. */
function writePass(machine: Machine, state: LkcdMemState, index: number): StageResult {
  const found = handoverOf(machine, state);
  const store = new StoreReader(machine, pfnsOf(machine, found));
  const [start, count] = [Number(found.starts[index]), Number(found.counts[index])];
  const isUntouched = store.isUntouched(state.filled);
  const records = isUntouched ? state.passes[index]!.records : store.records(start, count);
  const before = { pages: state.pages, offset: state.offset };
  const file = fileOf(machine, state);
  const encode = recordEncoder();
  const { pageSize } = machine.memory;
  const result = orEnd(state, () =>
    orDamaged(() => {
      for (const { pfn, flags, data } of records) {
        file.append(encode(pfn * pageSize, data.length, flags), data);
        state.pages++;
      }
      file.flush();
      return done;
    }),
  );
  const counts = { pages: state.pages - before.pages, bytes: state.offset - before.offset };
  return { ...result, ...counts };
}

function orDamaged(body: () => StageResult): StageResult {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== 'corrupt') throw error;
    return failed(error.message, 'saved pages');
  }
}

function end(machine: Machine, state: LkcdMemState): StageResult {
  return orEnd(state, () => {
    const file = fileOf(machine, state);
    file.append(recordEncoder()(0, 0, PageFlags.end), new Uint8Array(0));
    file.flush();
    return { ...done, pages: state.pages };
  });
}
