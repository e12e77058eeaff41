/** One line of progress in place: share, rate, time left. */

import { humanSize } from '../bytes/text.ts';
import type { Io } from './io.ts';

export interface RateLine {
  update(done: number): void;
  clear(): void;
}

const redrawMs = 200;

/** `total` units of `unitBytes`. */
export function rateLine(io: Io, total: number, unitBytes: number): RateLine {
  const began = Date.now();
  let drawnAt = 0;
  return {
    update(done) {
      const now = Date.now();
      if (now - drawnAt < redrawMs) return;
      drawnAt = now;
      const seconds = Math.max(0.001, (now - began) / 1000);
      const left = Math.ceil((seconds * (total - done)) / Math.max(1, done));
      const percent = Math.floor((done * 100) / Math.max(1, total));
      const rate = humanSize(Math.round((done * unitBytes) / seconds));
      const line = `${String(percent).padStart(3)} % of ${total} pages, ${rate}/s, ${left} s left`;
      io.err(`\r${line}\u001b[K`);
    },
    clear() {
      if (drawnAt > 0) io.err('\r\u001b[K');
    },
  };
}
