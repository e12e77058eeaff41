/** The dump file as it lies on the disk: what the letter -f of crash's commands means. */

import { DumpError } from '../bytes/errors.ts';
import { readExactly } from '../bytes/source.ts';
import type { ReadMemory } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';

/** Its bytes by offset. Throws `unsupported` where memory comes from no file. */
export function fileBytes({ dump }: Kernel): ReadMemory {
  const { file } = dump;
  if (file === undefined) {
    throw new DumpError('unsupported', `${dump.name} is no file that could be read by offset`);
  }
  return { read: (offset, length) => readExactly(file, Number(offset), length, 'the piece') };
}
