/**
 * Signals and synchronous work. Node calls a handler between two turns of its event loop only, so
 * a handler is installed for as long as there is something to clean up and not longer: without one
 * a signal ends the program at once.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** One handler for all of them: a split dump has many files, and Node warns of many handlers. */
const cleanUps = new Set<() => void>();

/** Has `cleanUp` called before a signal ends the program, until what is returned was called. */
export function beforeEndBySignal(cleanUp: () => void): () => void {
  if (cleanUps.size === 0) for (const signal of endingSignals) process.on(signal, end);
  cleanUps.add(cleanUp);
  return () => {
    // One that came during the work just done must not get lost.
    void heedSignals().then(() => {
      if (cleanUps.delete(cleanUp) && cleanUps.size === 0) stop();
    });
  };
}

function end(signal: NodeJS.Signals): void {
  for (const cleanUp of cleanUps) cleanUp();
  cleanUps.clear();
  stop();
  // Nobody handles it any more: it ends the program, and a shell learns by which signal.
  process.kill(process.pid, signal);
}

function stop(): void {
  for (const signal of endingSignals) process.off(signal, end);
}

/** Signals that came meanwhile end the program here. */
export async function heedSignals(): Promise<void> {
  // The first turn may be the rest of the running one, which looks for signals no more.
  await nextTurn();
  await nextTurn();
}
