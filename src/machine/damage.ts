/**
 * Writes to memory that are no method's: a store of a CPU goes through its page tables, where a
 * read-only page makes it a fault of the writer; a device or broken memory hits anything.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Cpu } from './cpu.ts';
import type { MachineMemory } from './memory.ts';
import type { MachineStop } from './stop.ts';

export interface Damage {
  readonly by: 'cpu' | 'dma' | 'memory-error';
  /** `cpu`: virtual, by the page tables of the panicking CPU; for the others physical. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly what: string;
}

/** `read-only`, `not mapped`: the fault was the writer's. All but `done`: nothing is changed. */
export type DamageResult = 'done' | 'read-only' | 'not mapped' | 'no memory';

/** What of a machine is needed here. */
interface Struck {
  readonly memory: MachineMemory;
  readonly panicCpu: Cpu;
  stopOf(error: DumpError): MachineStop;
}

type Piece = readonly [physical: bigint, bytes: Uint8Array];

export function damageMemory(machine: Struck, damage: Damage): DamageResult {
  const { address, bytes } = damage;
  const pieces: Piece[] | DamageResult =
    damage.by === 'cpu' ? storedPieces(machine, address, bytes) : [[address, bytes]];
  if (typeof pieces === 'string') return pieces;
  if (!pieces.every((piece) => isMemory(machine, piece))) return 'no memory';
  for (const [physical, piece] of pieces) machine.memory.write(physical, piece);
  return 'done';
}

/** By pages, with their physical places; or why the CPU faults. */
function storedPieces(machine: Struck, address: bigint, bytes: Uint8Array): Piece[] | DamageResult {
  const { memory } = machine.panicCpu;
  const pieces: Piece[] = [];
  try {
    for (let done = 0; done < bytes.length; ) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const { physical, writable } = memory.translate(at);
      if (!writable) return 'read-only';
      const piece = bytes.subarray(done, done + 4096 - Number(at & 0xfffn));
      pieces.push([physical, piece]);
      done += piece.length;
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return machine.stopOf(error).kind === 'lacking' ? 'no memory' : 'not mapped';
  }
  return pieces;
}

/** Only what the input holds can be hit: the rest of a page would be an invention. */
function isMemory({ memory }: Struck, [physical, bytes]: Piece): boolean {
  const first = Number(physical / BigInt(memory.pageSize));
  const last = Number((physical + BigInt(bytes.length) - 1n) / BigInt(memory.pageSize));
  for (let pfn = first; pfn <= last; pfn++) {
    const state = memory.state(pfn);
    if (state !== 'stored' && state !== 'zero') return false;
  }
  return first >= 0;
}
