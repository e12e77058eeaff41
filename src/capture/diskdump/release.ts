/**
 * The releases of diskdump. That of RHEL 4 tries its partitions one after the other; those before
 * it (LKML, 2004) chose one by the check of its disk, and what went wrong later was netdump's to
 * save.
 * Source: diskdump.c and scsi_dump.c of May and November 2004, and of RHEL 4.
 */

import type { FormatRelease } from '../../dump/diskdump/layout.ts';
import type { CaptureOptions } from '../method.ts';

const first = '2004-05';
const early: readonly string[] = ['1.0', first];

export function isEarly({ generation }: Pick<CaptureOptions, 'generation'>): boolean {
  return early.includes(generation);
}

/**
 * allow_risky_dumps=1, which all have: a disk of which the check cannot tell is tried when there is
 * no better one. Only the first release had a check that could not tell.
 */
export function canBeRisk({ generation }: Pick<CaptureOptions, 'generation'>): boolean {
  return generation === first;
}

/** By which its partitions are formatted: it did not change after the first. */
export function releaseOf(generation: string): FormatRelease {
  return generation === first ? first : '1.0';
}
