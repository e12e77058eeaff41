/**
 * Interrupt descriptors: what a kernel knows of each interrupt, and whether it would handle it now.
 * Source: include/linux/irqdesc.h, irq.h (IRQD_*), interrupt.h, kernel/irq/irqdesc.c, chip.c.
 */

import { DumpError } from '../bytes/errors.ts';
import { mapleRoot, walkMaple } from './maple.ts';
import { type KernelObject, type ObjectMemory, viewObject } from './objects.ts';
import type { SymbolTable } from './symbols.ts';
import { headOf, walkXarray } from './xarray.ts';

export interface IrqHandler {
  /** `virtio3-request`. */
  readonly name: string;
  /** What the driver gave request_irq() to know its device by. */
  readonly deviceId: bigint;
}

export interface IrqState {
  readonly number: number;
  readonly isDisabled: boolean;
  readonly isMasked: boolean;
  /** A CPU is in its handler: another that gets it leaves it to that one. */
  readonly isInProgress: boolean;
  readonly handlers: readonly IrqHandler[];
}

/** IRQD_IRQ_DISABLED, IRQD_IRQ_MASKED, IRQD_IRQ_INPROGRESS. */
export const irqFlags = { disabled: 1 << 16, masked: 1 << 17, inProgress: 1 << 18 } as const;

/** Handlers of one shared interrupt; more are a list that runs wild. */
const maxHandlers = 64;

/** The address of each struct irq_desc, by number. Throws DumpErrors where the tree is damaged. */
export function irqDescriptors(reader: ObjectMemory, symbols: SymbolTable): Map<number, bigint> {
  const stop = (problem: DumpError): never => {
    throw problem;
  };
  const found = new Map<number, bigint>();
  // Since v6.5 (721255b9826b "genirq: Use a maple tree for interrupt descriptor management").
  const maple = symbols.inKernel('sparse_irqs');
  if (maple !== undefined) {
    for (const range of walkMaple(reader, mapleRoot(reader, maple.address), stop)) {
      if (range.kind === 'entry' && range.entry !== 0n) found.set(Number(range.first), range.entry);
    }
    return found;
  }
  const radix = symbols.inKernel('irq_desc_tree');
  if (radix === undefined) {
    throw new DumpError('unsupported', 'this kernel has no sparse_irqs and no irq_desc_tree');
  }
  for (const { entry, index } of walkXarray(reader, headOf(reader, radix.address), stop)) {
    found.set(Number(index), entry);
  }
  return found;
}

/** `address`: of its struct irq_desc. */
export function irqState(reader: ObjectMemory, address: bigint): IrqState {
  const descriptor = viewObject(reader, 'struct irq_desc', address);
  const flags = descriptor.irq_common_data.state_use_accessors as number;
  const handlers: IrqHandler[] = [];
  let action = descriptor.action as KernelObject | null;
  while (action !== null && handlers.length < maxHandlers) {
    const name = reader.memory.cstring(action.name, 64);
    handlers.push({ name, deviceId: action.dev_id });
    action = action.next;
  }
  return {
    number: descriptor.irq_data.irq,
    isDisabled: (flags & irqFlags.disabled) !== 0,
    isMasked: (flags & irqFlags.masked) !== 0,
    isInProgress: (flags & irqFlags.inProgress) !== 0,
    handlers,
  };
}
