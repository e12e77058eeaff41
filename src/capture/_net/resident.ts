/**
 * What a network dump's module has in a healthy kernel: its functions, the address of the network
 * device, a stack of its own and a few packets, in pages from the free lists.
 */

import { assert } from '../../bytes/errors.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import { u64Bytes } from '../../machine/edit.ts';
import { mapIntoKernel } from '../../machine/kernel-mapping.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { takePages } from '../../machine/region.ts';
import { standInCode } from '../stand-in-code.ts';

/** Plain data. */
export interface NetResident {
  /** Its functions. Physical. */
  readonly code: PhysicalRange;
  /** Where it keeps the address of the device. Virtual. */
  readonly devicePointer: bigint;
  /** One past the top of its stack. Virtual. */
  readonly stackTop: bigint;
  /** All its pages. */
  readonly pages: readonly PhysicalRange[];
}

const functionSize = 512;
const pointerOffset = 3072;

/** `functions`: at most six; executed by these names. */
export function placeResident(
  machine: Machine,
  layout: PageLayout,
  functions: readonly string[],
  device: bigint,
): NetResident {
  const [module, stack] = takePages(machine, layout, 2, `${functions[0]}: module, stack`);
  assert(module !== undefined && stack !== undefined, 'two pages were taken');
  const address = mapIntoKernel(machine, layout, module);
  for (const [index, name] of functions.entries()) {
    const code = standInCode(functionSize, 31 + index * 26);
    machine.placeCode(name, address + BigInt(index * functionSize), code);
  }
  const devicePointer = address + BigInt(pointerOffset);
  machine.poke(devicePointer, u64Bytes(device));
  const start = Number(module);
  const pageAt = (physical: bigint): PhysicalRange => {
    return { start: Number(physical), end: Number(physical) + basePageSize };
  };
  return {
    code: { start, end: start + functions.length * functionSize },
    devicePointer,
    stackTop: machine.kernel.toVirtual(stack) + BigInt(basePageSize),
    pages: [pageAt(module), pageAt(stack)],
  };
}
