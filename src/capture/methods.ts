/** The dump methods by their names. */

import { assert } from '../bytes/errors.ts';
import { diskdump } from './diskdump/method.ts';
import { hypervisor } from './hypervisor/method.ts';
import { kexec } from './kexec/method.ts';
import { live } from './live/method.ts';
import { liveNaive } from './live-naive/method.ts';
import { lkcdDisk } from './lkcd-disk/method.ts';
import { lkcdMem } from './lkcd-mem/method.ts';
import { lkcdNet } from './lkcd-net/method.ts';
import type { DumpMethod } from './method.ts';
import { mkdump } from './mkdump/method.ts';
import { netdump } from './netdump/method.ts';

const methods: readonly DumpMethod<unknown>[] = [
  lkcdDisk,
  lkcdNet,
  lkcdMem,
  diskdump,
  netdump,
  kexec,
  mkdump,
  hypervisor,
  live,
  liveNaive,
];

/** `name`: one of the catalogue. */
export function methodOf(name: string): DumpMethod<unknown> {
  const found = methods.find((method) => method.name === name);
  assert(found !== undefined, `there is a method ${name}`);
  return found;
}
