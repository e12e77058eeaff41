/**
 * Debian's crash opens what we write of the formats of the old days, with the memory of a kernel of
 * today: diskdump files, and LKCD version 9 with a larger header area. It must find the log, the
 * panicking task by the header's word, its backtrace, and words from all over the memory.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { MemorySink, type Sink } from '../../src/bytes/sink.ts';
import { hex16 } from '../../src/bytes/text.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeDiskdump } from '../../src/dump/diskdump/write.ts';
import { writeLkcd } from '../../src/dump/lkcd/write.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { cpuContexts } from '../../src/linux/cpus.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { openFixture } from '../support/fixture.ts';
import { askCrash, located } from '../support/foreign.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable) console.warn('skipped: no crash with debug symbols here to read what we write');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-old-formats-'));
const codecs = createCodecs(nodeZlib);
let kernel: Kernel;

beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => {
  kernel.dump.close();
  rmSync(folder, { recursive: true });
});

function contentOf(): DumpContent {
  const { dump, vmcoreinfo } = kernel;
  const panic = panicTask(kernel)!;
  const contexts = cpuContexts(kernel);
  return {
    image: dump,
    uts: dump.uts!,
    time: dump.time ?? 0,
    notes: [],
    vmcoreinfo: dump.vmcoreinfo,
    physBase: BigInt(vmcoreinfo.number('phys_base')!),
    panic: { message: 'sysrq triggered crash', task: addressOf(panic.task), cpu: panic.cpu! },
    cpus: contexts.map(({ registers, task }) => ({
      registers: registers!,
      task: addressOf(task!),
      stack: task!.stack as unknown as bigint,
    })),
  };
}

const files: readonly (readonly [string, (sink: Sink, content: DumpContent) => void])[] = [
  [
    'diskdump, uncompressed',
    (sink, content) => writeDiskdump(sink, content, { compression: 'none', level: 0, codecs }),
  ],
  [
    'diskdump, zlib',
    (sink, content) => writeDiskdump(sink, content, { compression: 'zlib', level: 0, codecs }),
  ],
  [
    'LKCD version 9',
    (sink, content) => {
      // So many CPUs make the header area larger than 64 KiB.
      const [first] = content.cpus;
      const cpus = Array.from({ length: 400 }, (_, cpu) => content.cpus[cpu] ?? first!);
      const options = { version: 9, compression: 'zlib', level: 0, codecs } as const;
      writeLkcd(sink, { ...content, cpus }, options);
    },
  ],
];

/** Addresses of pages from all over the memory. */
function places(): bigint[] {
  const pfns: number[] = [];
  for (const { first, end, state } of kernel.dump.runs()) {
    for (let pfn = first; state === 'stored' && pfn < end; pfn++) pfns.push(pfn);
  }
  const step = Math.floor(pfns.length / 60);
  return pfns.filter((_, at) => at % step === 7).map((pfn) => BigInt(pfn) * 4096n + 0x7f0n);
}

describe.skipIf(!isComparable).concurrent('crash opens', () => {
  test.for(files)('%s', async ([name, write]) => {
    const sink = new MemorySink();
    write(sink, contentOf());
    const file = join(folder, name.replaceAll(/\W+/g, '-'));
    writeFileSync(file, sink.bytes());
    const at = places();
    const [log, bt, ...words] = await askCrash({
      crash: crash!,
      words: [...located(kernel), symbols!, file],
      questions: ['log', 'bt', ...at.map((physical) => `rd -p ${physical.toString(16)} 2`)],
      commandFile: `${file}.commands`,
    });
    const last = readLog(kernel).records.at(-1)!;
    expect(log).toContain('Linux version 6.1.0-56-cloud-amd64');
    expect(log).toContain(last.text.split('\n')[0]);
    const { task } = panicTask(kernel)!;
    expect(bt).toContain(`TASK: ${addressOf(task).toString(16)}`);
    expect(bt).toMatch(/sysrq_handle_crash|__crash_kexec|panic/);
    const found = words.map((text) => / ([0-9a-f]{16}) ([0-9a-f]{16}) /.exec(text)?.slice(1, 3));
    const truth = at.map((physical) =>
      [physical, physical + 8n].map((each) => hex16(kernel.physical.u64(each))),
    );
    expect(found).toEqual(truth);
  });
});
