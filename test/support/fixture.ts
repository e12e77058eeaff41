/** The dump of a late panic that is always here, opened as a user's program would. */

import { fileURLToPath } from 'node:url';
import { createCodecs } from '../../src/codec/codecs.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, MemoryImage, PageState } from '../../src/dump/types.ts';
import { fileSource } from '../../src/host/file-source.ts';
import { nodeZlib } from '../../src/host/zlib.ts';

/** A file of test/dumps. */
export function dumpPath(name: string): string {
  return fileURLToPath(new URL(`../dumps/${name}`, import.meta.url));
}

export async function openFile(file: string): Promise<Dump> {
  return await openDump(fileSource(file), { codecs: createCodecs(nodeZlib) });
}

export async function openFixture(): Promise<Dump> {
  return await openFile(dumpPath('sysrq.kdump'));
}

/** The same dump with something else about it; the memory stays that of `dump`. */
export function dumpLike(dump: Dump, changes: Partial<Dump>): Dump {
  const memory: MemoryImage = {
    name: dump.name,
    pageSize: dump.pageSize,
    endPfn: dump.endPfn,
    state: (pfn) => dump.state(pfn),
    readPage: (pfn) => dump.readPage(pfn),
    runs: () => dump.runs(),
  };
  const { format, description, architecture, uts, time, notes, cpus, vmcoreinfo, panic, level } =
    dump;
  return {
    ...memory,
    ...{ format, description, architecture, uts, time, notes, cpus, vmcoreinfo, panic, level },
    incomplete: dump.incomplete,
    close: () => dump.close(),
    ...changes,
  };
}

/** The dump with other contents or none for some pages. */
export function withPages(
  dump: Dump,
  change: (pfn: number, bytes: Uint8Array) => Uint8Array | PageState,
): Dump {
  return dumpLike(dump, {
    readPage(pfn) {
      const page = dump.readPage(pfn);
      if (page.bytes === undefined) return page;
      const changed = change(pfn, page.bytes);
      return typeof changed === 'string'
        ? { state: changed, bytes: undefined }
        : { state: 'stored', bytes: changed };
    },
  });
}
