/** The panic images that come with tsdump, as machines. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseMethod } from '../../src/capture/catalogue.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { overlaid } from '../../src/dump/overlay.ts';
import type { Dump } from '../../src/dump/types.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { blueprintOf, type MachineOptions } from '../../src/machine/blueprint.ts';
import { parseFootprints } from '../../src/machine/footprints.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { parseFault } from '../../src/trial/faults/fault.ts';
import { numbered } from '../../src/trial/faults/strike.ts';
import { type CaptureChoice, PreparedCapture } from '../../src/trial/prepared.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { Common, Trials } from '../../src/trial/trials.ts';
import { openFile } from './fixture.ts';

function machinePath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/machine/${name}`, import.meta.url));
}

/** Base and overlay of a panic image. */
export async function openPanic(name: string): Promise<Dump> {
  return overlaid(
    await openFile(machinePath('base.kdump')),
    await openFile(machinePath(`${name}.kdump`)),
  );
}

/** What was recorded of the kernel of the panic images; other kernels do without. */
export const footprints = parseFootprints(
  JSON.parse(readFileSync(machinePath('footprints.json'), 'utf8')),
);

/** Runs on one dump, with faults as words. */
export class Bench {
  readonly trials: Trials;
  readonly #dump: Dump;
  readonly #options: MachineOptions;

  constructor(dump: Dump, options: Partial<MachineOptions> = {}) {
    this.#dump = dump;
    this.#options = { sha256, footprints, ...options };
    this.trials = new Trials(dump, this.#options, new Common(createCodecs(nodeZlib)));
  }

  run(choice: CaptureChoice, faults: readonly string[] = [], seed = 0): Promise<CaptureReport> {
    return this.trials.run({
      level: 31,
      ...choice,
      faults: numbered(faults.map(parseFault)),
      seed,
    });
  }

  /** The machine as a run of the method finds it. */
  machine(choice: CaptureChoice): Machine {
    const prepared = new PreparedCapture(blueprintOf(this.#dump, this.#options), {
      level: 31,
      ...choice,
    });
    return prepared.begin().machine;
  }
}

/** The level that leaves out most of what a method, with its generation, can leave out. */
export function strictest(word: string): number {
  return Math.max(...(parseMethod(word).method.levels ?? [31]));
}
