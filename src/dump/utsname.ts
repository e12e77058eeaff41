/** Six texts of 65 bytes: struct new_utsname of the kernel, as KDUMP and LKCD headers hold it. */

import { struct, text } from '../bytes/struct.ts';
import type { Utsname } from './types.ts';

export const NewUtsname = struct(
  'new_utsname',
  {
    sysname: text(65, 'Linux.'),
    nodename: text(65, 'Host name.'),
    release: text(65, 'Kernel release.'),
    version: text(65, 'Build number and time.'),
    machine: text(65, 'x86_64.'),
    domainname: text(65, 'NIS domain.'),
  },
  { size: 390 },
);

/** QEMU fills in the machine only: that is no utsname. */
export function utsnameOf(field: Uint8Array): Utsname | undefined {
  const uts = NewUtsname.read(field);
  return uts.release === '' ? undefined : uts;
}
