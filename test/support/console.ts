/** What a kernel printed on its console while it died. */

import type { Backtrace } from '../../src/linux/backtrace.ts';

/** `symbol+0x10` of each line of a call trace, from behind the line that `starts` to user mode. */
export function printedTrace(
  console: readonly string[],
  starts: (line: string) => boolean,
): string[] {
  const end = console.findIndex((line) => line.includes('RIP: 0033:'));
  return console
    .slice(console.findIndex(starts) + 1, end)
    .map((line) => line.replace(/^\[ *\d+\.\d+\] +/, ''))
    .filter((line) => !line.startsWith('? '))
    .map((line) => line.replace(/\/.*/, ''));
}

/** The same of a backtrace. */
export function ourTrace({ frames }: Backtrace): string[] {
  return frames.flatMap((frame) =>
    frame.symbol === undefined ? [] : `${frame.symbol}+0x${(frame.offset ?? 0).toString(16)}`,
  );
}
