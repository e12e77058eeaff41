/**
 * Writes to memory that happen later in virtual time: a device that goes on with its DMA, a CPU
 * that goes on running. The clock carries them out as it passes them. They are no writes of a
 * method: what they change after the instant is a difference that a dump may or may not show.
 */

export interface ScheduledWrite {
  /** Virtual nanoseconds since the instant. */
  readonly atNs: number;
  readonly by: { readonly device: string } | { readonly cpu: number };
  readonly physical: number;
  /** Nobody changes them any more. */
  readonly bytes: Uint8Array;
  /** `flip`: the bits that are set in `bytes` are inverted, whatever they are by then. */
  readonly how?: 'set' | 'flip';
  readonly what: string;
}

export interface SavedSchedule {
  readonly pending: readonly ScheduledWrite[];
  /** Devices that were reset: they write nothing any more. */
  readonly quiet: readonly string[];
}

export class Schedule {
  /** By time; those of one time in the order that they were asked for. */
  readonly #pending: ScheduledWrite[];
  readonly #quiet: Set<string>;
  #next = 0;

  constructor(saved?: SavedSchedule) {
    this.#pending = [...(saved?.pending ?? [])];
    this.#quiet = new Set(saved?.quiet);
  }

  add(write: ScheduledWrite): void {
    let at = this.#pending.length;
    while (at > this.#next && this.#pending[at - 1]!.atNs > write.atNs) at--;
    this.#pending.splice(at, 0, write);
  }

  /** What this device has not written yet it will never write. */
  silence(device: string): void {
    this.#quiet.add(device);
  }

  /** The writes up to `untilNs` that are due: their device was not reset before. */
  *due(untilNs: number): Generator<ScheduledWrite> {
    while (this.#next < this.#pending.length && this.#pending[this.#next]!.atNs <= untilNs) {
      const write = this.#pending[this.#next++]!;
      if ('device' in write.by && this.#quiet.has(write.by.device)) continue;
      yield write;
    }
  }

  save(): SavedSchedule {
    return { pending: this.#pending.slice(this.#next), quiet: [...this.#quiet] };
  }
}
