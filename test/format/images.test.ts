/** Real vmcores: every page can be read, and says the same in every format. */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { decodeUtf8 } from '../../src/bytes/text.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, PageState } from '../../src/dump/types.ts';
import { writeDump, writers } from '../../src/dump/writers.ts';
import { fileSource } from '../../src/host/file-source.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { openFixture } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { contentOf } from '../support/vmcore-content.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

const images = [
  { file: 'null.kdump', description: 'KDUMP v6, zlib', stored: 15378, excluded: 17390 },
  { file: 'hardirq.kdump', description: 'KDUMP v6, zlib', stored: 15388, excluded: 17380 },
  { file: 'stack.kdump', description: 'KDUMP v6, zlib', stored: 15368, excluded: 17400 },
  { file: 'sysrq-full.flat', description: 'KDUMP v6, zlib, flattened', stored: 20544, excluded: 0 },
  { file: 'kdump-real.vmcore', description: 'KDUMP v6, lzo', stored: 16784, excluded: 48458 },
] as const;

function count(dump: Dump, state: PageState): number {
  let pages = 0;
  for (const run of dump.runs()) if (run.state === state) pages += run.end - run.first;
  return pages;
}

function digestOf(dump: Dump): string {
  const hash = createHash('sha256');
  for (const { first, end, state } of dump.runs()) {
    if (state !== 'stored' && state !== 'zero') continue;
    for (let pfn = first; pfn < end; pfn++) {
      const { bytes, problem } = dump.readPage(pfn);
      if (bytes === undefined) throw problem ?? new Error(`page ${pfn}`);
      hash.update(`${pfn}:`).update(bytes);
    }
  }
  return hash.digest('hex');
}

/** The kernel's release where VMCOREINFO says that it stands: text and phys_base must be right. */
function releaseInMemory(dump: Dump): string {
  const value = (key: string): bigint => {
    const text = dump.vmcoreinfo!.split('\n').find((line) => line.startsWith(`${key}=`))!;
    const number = text.slice(key.length + 1);
    return key.startsWith('SYMBOL') ? BigInt(`0x${number}`) : BigInt(number);
  };
  const virtual = value('SYMBOL(init_uts_ns)') + value('OFFSET(uts_namespace.name)');
  // Text and data of the kernel; formats.md of crash's x86_64 VTOP.
  const physical = Number(virtual - 0xffffffff80000000n + value('NUMBER(phys_base)')) + 2 * 65;
  const page = dump.readPage(Math.floor(physical / 4096));
  return decodeUtf8(page.bytes!.subarray(physical % 4096, (physical % 4096) + 20));
}

describe.each(images)('$file', ({ file, description, stored, excluded }) => {
  const path = findImage(file);
  test.skipIf(path === undefined)('opens, and every page can be read', async () => {
    const dump = await openDump(fileSource(path!), { codecs: createCodecs(nodeZlib) });
    expect(dump.description).toBe(description);
    expect(count(dump, 'stored')).toBe(stored);
    expect(count(dump, 'excluded')).toBe(excluded);
    expect(dump.incomplete).toBeUndefined();
    expect(dump.cpus.filter(({ source }) => source === 'NT_PRSTATUS')).toHaveLength(2);
    expect(releaseInMemory(dump)).toBe('6.1.0-56-cloud-amd64');
    expect(digestOf(dump)).toMatch(/^[0-9a-f]{64}$/);
    dump.close();
  });
});

test('the default machine opens, and every page can be read', async () => {
  const dump = await openFixture();
  expect(dump.incomplete).toBeUndefined();
  expect(releaseInMemory(dump)).toBe('6.1.0-56-cloud-amd64');
  expect(digestOf(dump)).toMatch(/^[0-9a-f]{64}$/);
  dump.close();
});

/** Raw memory says nothing of what it holds: see writers.test.ts. */
const conversions = writers
  .filter(({ name }) => name !== 'raw')
  .map(({ name, compressions }) => [name, compressions.at(-1)!] as const);

test.each(conversions)('the default machine as %s, %s: the same pages', async (name, packing) => {
  const codecs = createCodecs(nodeZlib);
  const dump = await openFixture();
  const sink = new MemorySink();
  await writeDump(name, sink, contentOf(dump), { compression: packing, level: 1, codecs });
  const again = await openDump(memorySource(name, sink.bytes()), { codecs });
  expect(again.incomplete).toBeUndefined();
  expect(digestOf(again)).toBe(digestOf(dump));
  dump.close();
});
