/** Which way a dump was taken, as far as its file tells: not every trace is proof. */

import { NT_TASKSTRUCT, qemuName } from '../dump/notes.ts';
import type { Dump } from '../dump/types.ts';

export interface TakenBy {
  readonly method: string;
  readonly evidence: string;
}

export function takenBy(dump: Dump): TakenBy | undefined {
  switch (dump.format) {
    case 'lkcd':
      return { method: 'LKCD', evidence: 'the format is its own' };
    case 'diskdump':
      return { method: 'diskdump', evidence: 'the format is its own' };
    case 'mkdump':
      return { method: 'mkdump', evidence: 'the format is its own' };
    case 'lime':
      return { method: 'LiME or AVML, while the machine ran', evidence: 'the format is theirs' };
    case 'raw':
      return undefined;
    default:
      return byNotes(dump);
  }
}

function byNotes({ notes, vmcoreinfo, format }: Dump): TakenBy | undefined {
  const has = (wanted: string): boolean => notes.some(({ name }) => name === wanted);
  if (has(qemuName)) {
    return { method: 'QEMU (dump-guest-memory, virsh dump)', evidence: 'it has notes of QEMU' };
  }
  if (has('SNAP')) {
    return { method: 'the extension snap of crash, while the machine ran', evidence: 'its note' };
  }
  if (notes.some(({ name, type }) => name === 'CORE' && type === NT_TASKSTRUCT)) {
    return { method: 'netdump', evidence: 'it has the note NT_TASKSTRUCT' };
  }
  const how = format === 'kdump' ? ', saved by makedumpfile' : '';
  if (vmcoreinfo !== undefined && /^CRASHTIME=/m.test(vmcoreinfo)) {
    const evidence = 'VMCOREINFO has CRASHTIME, which a crashing kernel sets';
    return { method: `kexec (/proc/vmcore)${how}`, evidence };
  }
  return undefined;
}
