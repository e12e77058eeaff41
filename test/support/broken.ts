/** Dumps with what hypervisors get wrong: each by its name, written into a folder. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemorySink } from '../../src/bytes/sink.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeDump } from '../../src/dump/writers.ts';
import { nodeZlib } from '../../src/host/zlib.ts';

type Make = (folder: string, content: DumpContent) => Promise<void>;

async function save(file: string, format: string, content: DumpContent): Promise<void> {
  const sink = new MemorySink(file);
  const codecs = createCodecs(nodeZlib);
  await writeDump(format, sink, content, { compression: 'none', level: 23, codecs });
  writeFileSync(file, sink.bytes());
}

/** With another text of VMCOREINFO; none where it is undefined. */
function withInfo(content: DumpContent, vmcoreinfo: string | undefined): DumpContent {
  const others = content.notes.filter(({ name }) => name !== 'VMCOREINFO');
  if (vmcoreinfo === undefined) return { ...content, notes: others, vmcoreinfo };
  const note = { name: 'VMCOREINFO', type: 0, desc: new TextEncoder().encode(vmcoreinfo) };
  return { ...content, notes: [...others, note], vmcoreinfo };
}

export const brokenDumps: Readonly<Record<string, Make>> = {
  /** A guest without `-device vmcoreinfo`. */
  noinfo: (folder, content) =>
    save(join(folder, 'noinfo.elf'), 'elf', withInfo(content, undefined)),
  /** QEMU from 7 on puts the program headers behind the section headers. */
  async moved(folder, content) {
    const file = join(folder, 'moved.elf');
    await save(file, 'elf', content);
    const bytes = readFileSync(file);
    const size = bytes.readUInt16LE(56) * 56;
    // There is room for more segments than there are.
    bytes.copyWithin(192, 64, 64 + size);
    bytes.writeBigUInt64LE(192n, 32);
    writeFileSync(file, bytes);
  },
  /** As /proc/kcore is before v4.11 (464920104bf7): physical addresses are 0. */
  async unplaced(folder, content) {
    const file = join(folder, 'unplaced.elf');
    await save(file, 'elf', content);
    const bytes = readFileSync(file);
    const size = bytes.readUInt16LE(56) * 56;
    for (let at = 64; at < 64 + size; at += 56) bytes.writeBigUInt64LE(0n, at + 24);
    writeFileSync(file, bytes);
  },
  /** As if the headers were too many for e_phnum, and no section said how many. */
  async uncounted(folder, content) {
    const file = join(folder, 'uncounted.elf');
    await save(file, 'elf', content);
    const bytes = readFileSync(file);
    bytes.writeUInt16LE(0xffff, 56);
    writeFileSync(file, bytes);
  },
  base(folder, content) {
    const wrong = content.physBase + 0x20_0000n;
    const text = content.vmcoreinfo!.replace(/phys_base\)=.*/, `phys_base)=${wrong}`);
    const changed = { ...withInfo(content, text), physBase: wrong };
    return save(join(folder, 'base.kdump'), 'kdump', changed);
  },
  /** What another kernel left in the memory. */
  stale(folder, content) {
    const text = content.vmcoreinfo!.replace(/OSRELEASE=.*/, 'OSRELEASE=5.0.0-other');
    return save(join(folder, 'stale.kdump'), 'kdump', withInfo(content, text));
  },
  header: (folder, content) =>
    save(join(folder, 'header.kdump'), 'kdump', { ...content, physBase: 0x1000n }),
  offset(folder, content) {
    const text = content.vmcoreinfo!.replace(/KERNELOFFSET=.*/, 'KERNELOFFSET=1000000');
    return save(join(folder, 'offset.kdump'), 'kdump', withInfo(content, text));
  },
};
