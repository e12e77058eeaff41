/** What the firmware says of the machine: strings that the kernel keeps of DMI (SMBIOS). */

import { attempt, type DumpError } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';

export interface DmiString {
  /** As enum dmi_field has it: DMI_BIOS_VENDOR. */
  readonly name: string;
  readonly text: string;
}

/** A string of SMBIOS has no limit of its own; the kernel's table is smaller. */
const maxText = 1024;
/** There are some twenty fields. */
const maxFields = 256n;

/** dmi_ident[], drivers/firmware/dmi_scan.c. Throws `absent` where the kernel has none. */
export function dmiStrings(
  kernel: KernelCore,
  onProblem: (problem: DumpError) => void,
): DmiString[] {
  const { memory, types } = kernel;
  const table = kernel.symbol('dmi_ident').address;
  const fields = types.enumerators('enum dmi_field');
  const end = fields.get('DMI_STRING_MAX') ?? maxFields;
  return [...fields].flatMap(([name, index]) => {
    // Behind the end stand what drivers may ask for and the table does not have.
    if (name === 'DMI_NONE' || index >= end || index >= maxFields) return [];
    return (
      attempt(() => {
        const pointer = memory.u64(table + index * 8n);
        return pointer === 0n ? [] : [{ name, text: memory.cstring(pointer, maxText) }];
      }, onProblem) ?? []
    );
  });
}
