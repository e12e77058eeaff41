/**
 * Files that hold memory in a form which is not read here, known by what they start with: each is
 * refused by its name, with what to do instead.
 *
 * Sources: crash's defs.h, kvmdump, xendump.h, s390_dump.c, sadump.h, vmware_vmss.h; libvirt
 * qemu_saveimage.h; AVML image.rs; QEMU win_dump_defs.h.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';

interface Refused {
  readonly what: string;
  /** The first bytes, in hexadecimal: any of them. */
  readonly starts: readonly string[];
  readonly hint: string;
}

const asElf = 'take it with `dump-guest-memory` of the QEMU monitor or `virsh dump --memory-only`';
const withCrash = 'open it with crash';

export const refused: readonly Refused[] = [
  {
    what: 'a compressed AVML image',
    // "AVML"
    starts: ['41564d4c'],
    hint: 'make LiME of it: avml-convert IMAGE IMAGE.lime',
  },
  {
    what: 'a QEMU migration stream (savevm, `virsh dump` without --memory-only)',
    // "QEVM"
    starts: ['5145564d'],
    hint: asElf,
  },
  {
    what: 'a saved guest of libvirt (`virsh save`)',
    // "LibvirtQemudSave", "LibvirtQemudPart"
    starts: ['4c69627669727451656d756453617665', '4c69627669727451656d756450617274'],
    hint: asElf,
  },
  {
    what: "VMware's suspended state or snapshot (.vmss, .vmsn)",
    starts: ['d0bed0be', 'd2bed2be', 'd3bed3be', 'd1bad1ba', 'd2bad2ba'],
    hint: 'make a core of it with vmss2core -M, or open it with crash beside its .vmem',
  },
  {
    what: "a Xen domain's core (xc_core)",
    starts: ['edbe0ff0', 'eebe0ff0', 'f00febed', 'f00febee'],
    hint: withCrash,
  },
  {
    what: 'a saved Xen domain (xl save)',
    // "LinuxGuestRecord"; the newer stream begins with a marker of ones and "XENF".
    starts: ['4c696e757847756573745265636f7264', 'ffffffffffffffff58454e46'],
    hint: 'restore it and take a core: xl dump-core',
  },
  {
    what: 'an s390 stand-alone dump',
    starts: ['a8190173618f23fd', 'fd238f61730119a8'],
    hint: 'only x86 dumps are read; zgetdump converts it for crash',
  },
  {
    what: 'a dump of sadump (Fujitsu)',
    // "sadump", NUL-padded
    starts: ['736164756d700000'],
    hint: 'makedumpfile makes a KDUMP file of it',
  },
  {
    what: "Windows' crash dump (QEMU's win-dmp)",
    // "PAGEDU64", "PAGEDUMP"
    starts: ['5041474544553634', '5041474544554d50'],
    hint: 'for a Linux guest: dump-guest-memory without -w',
  },
];

/** Of these nothing but the name tells. */
const refusedNames = [
  {
    pattern: /\.vmem$/i,
    what: "a VMware guest's memory (.vmem)",
    hint:
      'make a core of it with vmss2core; of a guest of at most 3 GB it is raw memory, and is ' +
      'opened when its name ends in .raw',
  },
];

/** What to say of a file that starts like this; undefined where nothing is known of it. */
export function refusalByStart(source: Source): DumpError | undefined {
  const start = hexOf(source.read(0, 16));
  const found = refused.find(({ starts }) => starts.some((magic) => start.startsWith(magic)));
  return found === undefined ? undefined : refusal(source, found);
}

/** The same for a file of this name that no format knows. */
export function refusalByName(source: Source): DumpError | undefined {
  const found = refusedNames.find(({ pattern }) => pattern.test(source.name));
  return found === undefined ? undefined : refusal(source, found);
}

function refusal(source: Source, { what, hint }: Omit<Refused, 'starts'>): DumpError {
  return new DumpError('unsupported', what, { where: { file: source.name, offset: 0 }, hint });
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
