/**
 * One line in place that tells how far a dump is written or searched, or how many trials were run:
 * share, rate, time left.
 */

import type { Progress } from '../dump/content.ts';
import type { Io } from './io.ts';

export interface ProgressLine {
  readonly update: Progress;
  clear(): void;
}

/** Milliseconds between two drawings. */
const interval = 200;
/** Before that, a rate says little. */
const settled = 1000;
const megabyte = 1024 * 1024;

/** `label`: what is being done, where that is not the writing. `now` is in milliseconds. */
export function progressLine(
  io: Pick<Io, 'err'>,
  pageSize: number,
  label = '',
  now: () => number = () => performance.now(),
): ProgressLine {
  const rate = (perSecond: number): string => {
    return `${((perSecond * pageSize) / megabyte).toFixed(0)} MB/s`;
  };
  return lineInPlace(io, { label, what: 'pages', rate, now });
}

/** The same of the trials of a campaign. */
export function trialProgress(io: Pick<Io, 'err'>): ProgressLine {
  const rate = (perSecond: number): string => `${perSecond.toFixed(1)} a second`;
  return lineInPlace(io, { label: '', what: 'trials', rate, now: () => performance.now() });
}

interface Counted {
  readonly label: string;
  readonly what: string;
  readonly rate: (perSecond: number) => string;
  readonly now: () => number;
}

function lineInPlace(io: Pick<Io, 'err'>, counted: Counted): ProgressLine {
  const { label, now } = counted;
  const start = now();
  let drawn = Number.NEGATIVE_INFINITY;
  let width = 0;
  return {
    update(done, total) {
      const at = now();
      if (at - drawn < interval && done < total) return;
      drawn = at;
      const text = label + lineOf(done, total, at - start, counted);
      io.err(`\r${text.padEnd(width)}`);
      width = text.length;
    },
    clear() {
      if (width > 0) io.err('\r\u001b[K');
      width = 0;
    },
  };
}

/** ` 42 % of 1048576 pages, 512 MB/s, 0:07 left`. */
function lineOf(done: number, total: number, passed: number, { what, rate }: Counted): string {
  const percent = Math.floor((done * 100) / Math.max(1, total));
  const share = `${String(percent).padStart(3)} % of ${total} ${what}`;
  if (passed < settled || done === 0) return share;
  const left = Math.ceil(((total - done) * passed) / done / 1000);
  return `${share}, ${rate((done * 1000) / passed)}, ${duration(left)} left`;
}

/** `0:07`, `1:02:03`. */
function duration(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}
