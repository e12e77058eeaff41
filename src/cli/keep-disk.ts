/** `--keep-disk`: the disks of the machine as image files. */

import { fileSink } from '../host/file-sink.ts';
import { writeDiskImage } from '../machine/disk-image.ts';
import type { Machine } from '../machine/machine.ts';

/** Throws `io` at once for a name that cannot be taken. */
export function keepingDisks(
  path: string,
  existing: 'overwrite' | 'keep',
): (after: Pick<Machine, 'disks' | 'files'>) => void {
  const overwrite = existing === 'overwrite';
  const first = fileSink(path, { overwrite });
  return ({ disks, files }) => {
    for (const [index, disk] of disks.entries()) {
      const sink = index === 0 ? first : fileSink(`${path}.${index + 1}`, { overwrite });
      try {
        writeDiskImage(sink, disk, files);
        sink.finish();
      } finally {
        // Nothing, where the sink was finished.
        sink.abort();
      }
    }
  };
}
