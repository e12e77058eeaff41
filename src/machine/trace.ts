/** What happens on a machine, told as it happens: single events, and spans for a picture. */

export interface TraceEvent {
  /** Virtual nanoseconds since the instant. */
  readonly ns: number;
  readonly what:
    | 'stage'
    | 'execute'
    | 'read'
    | 'write'
    | 'nmi'
    | 'interrupt'
    | 'disk'
    | 'wait'
    | 'scheduled write'
    | 'stop';
  readonly cpu?: number;
  readonly name: string;
  readonly detail?: string;
}

/** What one CPU or device was at, from when to when. */
export interface Activity {
  /** `CPU 0`, `disk`, `nic`. */
  readonly lane: string;
  readonly startNs: number;
  readonly endNs: number;
  readonly what: string;
}

export class Trace {
  /** Costs nothing while it is unset. */
  listener: ((event: TraceEvent) => void) | undefined;
  readonly #spans: { lane: string; startNs: number; endNs: number; what: string }[];

  constructor(spans: readonly Activity[] = []) {
    this.#spans = spans.map((span) => ({ ...span }));
  }

  /** In order of their starts; a lane's neighbours that do the same are one. */
  get activity(): readonly Activity[] {
    return this.#spans;
  }

  span(lane: string, startNs: number, endNs: number, what: string): void {
    const last = this.#spans.findLast((span) => span.lane === lane);
    if (last?.what === what) last.endNs = Math.max(last.endNs, endNs);
    else if (endNs > startNs) this.#spans.push({ lane, startNs, endNs, what });
  }
}
