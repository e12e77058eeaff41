/** What a reader must not believe: sizes and counts that only a damaged or hostile file has. */

import { describe, expect, test } from 'vitest';
import { Bitmap } from '../../src/bytes/bitmap.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { DescribedPages } from '../../src/dump/described-pages.ts';
import {
  Elf64Header,
  Elf64Phdr,
  EM_X86_64,
  ET_CORE,
  littleEndianIdent,
  PT_LOAD,
  PT_NOTE,
} from '../../src/dump/elf/layout.ts';
import { slotSize } from '../../src/dump/lkcd/arch-header.ts';
import {
  ArchHeaders,
  archMagic,
  archVersions,
  dumpMagic,
  HeaderV8,
  headerAreaSize,
  PageFlags,
  PageRecord,
} from '../../src/dump/lkcd/layout.ts';
import { openDump } from '../../src/dump/open.ts';
import { parseIomem } from '../../src/dump/raw/layout.ts';
import type { Dump } from '../../src/dump/types.ts';
import { NewUtsname } from '../../src/dump/utsname.ts';
import { nodeZlib } from '../../src/host/zlib.ts';

function open(bytes: Uint8Array): Promise<Dump> {
  return openDump(memorySource('made', bytes), { codecs: createCodecs(nodeZlib) });
}

describe('elf', () => {
  const pageAt = 8192;
  const make = (notes: number, noteSize: number, entrySize = Elf64Phdr.size): Uint8Array => {
    const notesAt = 64 * 1024;
    const bytes = new Uint8Array(notesAt + noteSize);
    Elf64Header.write(bytes, 0, {
      e_ident: littleEndianIdent(),
      e_type: ET_CORE,
      e_machine: EM_X86_64,
      e_version: 1,
      e_phoff: BigInt(Elf64Header.size),
      e_ehsize: Elf64Header.size,
      e_phentsize: entrySize,
      e_phnum: notes + 1,
    });
    const header = (index: number, type: number, offset: number, size: number): void =>
      Elf64Phdr.write(bytes, Elf64Header.size + index * Elf64Phdr.size, {
        p_type: type,
        p_offset: BigInt(offset),
        p_filesz: BigInt(size),
        p_memsz: BigInt(size),
      });
    header(0, PT_LOAD, pageAt, 4096);
    for (let index = 1; index <= notes; index++) header(index, PT_NOTE, notesAt, noteSize);
    // One note that fills the segment: no name, all descriptor.
    new DataView(bytes.buffer).setUint32(notesAt + 4, noteSize - 12, true);
    return bytes;
  };

  test('program headers of another size are corrupt', async () => {
    await expect(open(make(0, 64, 64))).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('many segments over the same notes do not multiply them without end', async () => {
    const size = 8 * 1024 * 1024;
    const dump = await open(make(20, size));
    expect(dump.notes).toHaveLength(1);
    expect(dump.incomplete).toContain('runs past');
  });
});

describe('described pages', () => {
  test('many pages in one state are passed over at once, not one by one', () => {
    const map = new Bitmap(new Uint8Array(8192).fill(0xff));
    const endPfn = map.length;
    const descriptorsAt = 4096;
    const geometry = { pageSize: 4096, endPfn, ram: map, stored: map, descriptorsAt };
    const source = memorySource('cut', new Uint8Array(descriptorsAt));
    const codecs = createCodecs(nodeZlib);
    const pages = new DescribedPages(source, { ...geometry, packingFlags: 1 }, codecs, []);
    expect([...pages.runsIn(0, endPfn)]).toEqual([{ first: 0, end: endPfn, state: 'missing' }]);
    expect(pages.incomplete).toContain('cut');
  });
});

describe('raw', () => {
  test('a list of ranges whose line ends in a million blanks is no trap', () => {
    const blanks = ' '.repeat(1_000_000);
    const text = `0-fff : ${blanks}x\n1000-1fff : System RAM${blanks}\r\n`;
    expect(parseIomem(text, 'made')).toEqual([{ start: 0x1000n, end: 0x2000n }]);
  });
});

describe('lkcd', () => {
  const header = (slots: number, dumping: number): Uint8Array => {
    const area = new Uint8Array(headerAreaSize);
    const system = { sysname: 'Linux', release: '6.1.0', version: '', machine: 'x86_64' };
    HeaderV8.write(area, 0, {
      dh_magic: dumpMagic,
      dh_version: 8,
      dh_header_size: HeaderV8.size,
      dh_page_size: 4096,
      utsname: NewUtsname.encode({ ...system, nodename: 'made', domainname: '' }),
    });
    ArchHeaders.x86_64.write(area, HeaderV8.size, {
      dha_magic: archMagic,
      dha_version: archVersions.x86_64,
      dha_header_size: ArchHeaders.x86_64.size + slots * slotSize('x86_64'),
      dha_regs: Array.from({ length: 21 }, (_, index) => BigInt(index + 1)),
      dha_smp_num_cpus: slots,
      dha_dumping_cpu: dumping,
    });
    return area;
  };
  const record = (pfn: number, flags: number, size: number): Buffer =>
    Buffer.concat([
      PageRecord.encode({ dp_address: BigInt(pfn) * 4096n, dp_size: size, dp_flags: flags }),
      new Uint8Array(size).fill(0x41),
    ]);

  test('a raw page that is too short is damage, and never filled up with zeros', async () => {
    const records = [record(1, PageFlags.raw, 4096), record(2, PageFlags.raw, 100)];
    const dump = await open(Buffer.concat([header(0, 0), ...records, record(0, PageFlags.end, 0)]));
    expect(dump.readPage(1).state).toBe('stored');
    expect(dump.readPage(2).bytes).toBeUndefined();
    expect(dump.readPage(2)).toMatchObject({ state: 'damaged', problem: { code: 'corrupt' } });
    expect(dump.readPage(2).problem?.message).toContain('raw page of 100 bytes');
  });

  test("the dumping CPU's registers stand in where its slot is empty, for no other", async () => {
    const dump = await open(Buffer.concat([header(2, 1), record(0, PageFlags.end, 0)]));
    expect(dump.cpus.map(({ index }) => index)).toEqual([1]);
    expect(dump.cpus[0]?.registers.r15).toBe(1n);
  });
});
