/**
 * The interrupt controller: a line for each device, routed to one CPU. A driver that waits for an
 * interrupt asks its line when, and whether, it comes.
 */

import { assert } from '../bytes/errors.ts';

export interface InterruptLine {
  readonly name: 'disk' | 'nic' | 'timer' | 'serial';
  vector: number;
  /** The CPU that it is routed to. */
  cpu: number;
  enabled: boolean;
  pending: boolean;
  /** `lost`: nothing that the device raises arrives. `storm`: it is raised without end. */
  state: 'ok' | 'lost' | 'storm';
}

export type LineName = InterruptLine['name'];

/** Vectors of a small x86-64 guest; a side file has the real ones of the pins. */
const usualVectors: readonly (readonly [name: LineName, vector: number])[] = [
  ['timer', 0x30],
  ['serial', 0x24],
  ['disk', 0x41],
  ['nic', 0x51],
];

export class InterruptController {
  readonly lines: readonly InterruptLine[];

  /** All routed to `cpu` where nothing else is known. */
  constructor(cpu: number, saved?: readonly InterruptLine[]) {
    const lines = saved ?? usualVectors.map(([name, vector]) => usualLine(name, vector, cpu));
    this.lines = lines.map((line) => ({ ...line }));
  }

  line(name: LineName | string): InterruptLine {
    const found = this.lines.find((line) => line.name === name);
    assert(found !== undefined, `the machine has an interrupt line ${name}`);
    return found;
  }

  save(): InterruptLine[] {
    return this.lines.map((line) => ({ ...line }));
  }
}

function usualLine(name: LineName, vector: number, cpu: number): InterruptLine {
  return { name, vector, cpu, enabled: true, pending: false, state: 'ok' };
}
