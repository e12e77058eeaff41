/**
 * The machine's network card as a polling driver meets it: whether its link is up and whether it
 * takes what stands in its transmit ring. The rings are the kernel's, in memory, and read there.
 */

/** Plain data. */
export interface NicCondition {
  link: 'up' | 'down';
  /** `stuck`: it looks at its transmit ring no more. */
  transmit: 'ok' | 'stuck';
}

export interface SavedNic {
  readonly condition: NicCondition;
  readonly waiting: number;
}

export class Nic {
  readonly condition: NicCondition;
  /** Packets in the transmit ring that it does not take. */
  #waiting: number;

  constructor(saved?: SavedNic) {
    this.condition = { ...(saved?.condition ?? { link: 'up', transmit: 'ok' }) };
    this.#waiting = saved?.waiting ?? 0;
  }

  /**
   * What becomes of packets that the driver puts into a ring with room for `room` of them:
   * `sent`, `lost` on a dead link, or none of them, because the ring is full.
   */
  transmit(packets: number, room: number): 'sent' | 'lost' | 'waiting' | 'full' {
    const { link, transmit } = this.condition;
    if (transmit === 'ok') return link === 'up' ? 'sent' : 'lost';
    if (this.#waiting + packets > room) return 'full';
    this.#waiting += packets;
    return 'waiting';
  }

  save(): SavedNic {
    return { condition: { ...this.condition }, waiting: this.#waiting };
  }
}
