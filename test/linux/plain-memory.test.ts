/**
 * Formats that hold memory and nothing else: the kernel is found in the memory itself, and says
 * what it says of the dump that was written. mkdump's container keeps the registers as well.
 */

import { expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { openDump } from '../../src/dump/open.ts';
import { iomemText, parseIomem } from '../../src/dump/raw/layout.ts';
import { writeRaw } from '../../src/dump/raw/write.ts';
import type { Dump } from '../../src/dump/types.ts';
import { writeDump } from '../../src/dump/writers.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { openFixture } from '../support/fixture.ts';

const codecs = createCodecs(nodeZlib);

function contentOf(dump: Dump): DumpContent {
  const { uts, notes, vmcoreinfo } = dump;
  const time = dump.time ?? 0;
  return { image: dump, uts: uts!, time, notes, vmcoreinfo, physBase: 0n, cpus: [] };
}

function saysOf(kernel: Kernel): unknown {
  const tasks = [...kernel.tasks()].map(({ pid, comm }) => `${pid} ${comm}`);
  return { tasks, log: [...readLog(kernel).records].map(({ text }) => text) };
}

test.each(['lime', 'mkdump'])('%s', async (format) => {
  const dump = await openFixture();
  const sink = new MemorySink();
  await writeDump(format, sink, contentOf(dump), { compression: 'none', level: 23, codecs });
  const plain = await openDump(memorySource(format, sink.bytes()), { codecs });
  expect(plain.cpus).toEqual(format === 'mkdump' ? dump.cpus : []);
  const says = saysOf(openKernel(plain));
  expect(says).toEqual(saysOf(openKernel(dump)));
  expect(JSON.stringify(says)).toContain('sysrq triggered crash');
});

test('raw memory, by its name, and with the list of its ranges', async () => {
  const dump = await openFixture();
  const sink = new MemorySink();
  const { ranges } = writeRaw(sink, contentOf(dump), { codecs });
  const bytes = sink.bytes();
  const expected = saysOf(openKernel(dump));
  const named = await openDump(memorySource('guest.raw', bytes), { codecs });
  expect(saysOf(openKernel(named))).toEqual(expected);
  const list = parseIomem(iomemText(ranges), 'guest.raw.iomem');
  const listed = await openDump(memorySource('x', bytes), { codecs, format: 'raw', ranges: list });
  expect(saysOf(openKernel(listed))).toEqual(expected);
  // Without the list nobody can tell what was left out from zeros.
  const left = [...dump.runs()].find(({ state }) => state === 'excluded')!.first;
  expect([named.state(left), listed.state(left)]).toEqual(['stored', 'missing']);
});
