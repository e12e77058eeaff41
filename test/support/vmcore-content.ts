/** What a writer is given, around any image. */

import type { DumpContent } from '../../src/dump/content.ts';
import { prstatusNote, registersOf } from '../../src/dump/notes.ts';
import type { MemoryImage } from '../../src/dump/types.ts';

export const vmcoreinfo = 'OSRELEASE=6.1.0-test\nNUMBER(phys_base)=-4096\nKERNELOFFSET=1000000\n';
export const registers = [3n, 5n].map((seed) =>
  registersOf(Array.from({ length: 27 }, (_, index) => seed * 1000n + BigInt(index))),
);

export function contentOf(image: MemoryImage): DumpContent {
  return {
    image,
    uts: {
      sysname: 'Linux',
      nodename: 'test',
      release: '6.1.0-test',
      version: '#1 SMP',
      machine: 'x86_64',
      domainname: '(none)',
    },
    time: 1700000000.25,
    notes: [
      ...registers.map((each, cpu) => prstatusNote(each, 100 + cpu)),
      { name: 'VMCOREINFO', type: 0, desc: new TextEncoder().encode(vmcoreinfo) },
    ],
    vmcoreinfo,
    physBase: -4096n,
    panic: { message: 'sysrq triggered crash', task: 0xffff888000001000n, cpu: 1 },
    cpus: registers.map((each, cpu) => ({
      registers: each,
      task: 0xffff888000001000n + BigInt(cpu),
      stack: 0xffffc90000000000n + BigInt(cpu),
    })),
  };
}
