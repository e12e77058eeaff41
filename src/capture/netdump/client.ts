/** Netdump on the crashed machine: what it answers to what its server asks. */

import { attempt } from '../../bytes/errors.ts';
import { encodeUtf8 } from '../../bytes/text.ts';
import { prstatusNote } from '../../dump/notes.ts';
import { basePageSize } from '../../linux/paging.ts';
import type { Cpu } from '../../machine/cpu.ts';
import type { Machine } from '../../machine/machine.ts';
import {
  Code,
  Command,
  type Greeting,
  greetingText,
  protocolVersion,
  type Reply,
  type Request,
} from '../_net/protocol.ts';
import type { DumpedMemory } from './memory.ts';

export function startNetdump(greeting: Greeting): Reply {
  return reply(0, Code.startNetdump, 0, greetingText(greeting));
}

/**
 * The answer to one request; undefined: it gets none. REBOOT and EXIT end the dump, and say so.
 */
export function answerTo(
  request: Request,
  machine: Machine,
  memory: DumpedMemory,
): Reply | undefined {
  const { seq, command, from } = request;
  switch (command) {
    case Command.sendMem:
      return pageReply(seq, from, memory);
    case Command.getPageSize:
      return reply(seq, Code.pageSize, basePageSize);
    case Command.getNrPages:
      return reply(seq, Code.nrPages, memory.endPfn);
    case Command.getRegs:
      return reply(seq, Code.regs, 0, registersOf(machine));
    case Command.hello:
      return reply(seq, Code.hello, protocolVersion);
    case Command.exit:
    case Command.reboot:
      return reply(seq, Code.endNetdump, 0);
    // Said again: the handshake is over.
    case Command.startAck:
      return undefined;
    default:
      return reply(seq, Code.error, 0, encodeUtf8(`there is no command ${command}`));
  }
}

function pageReply(seq: number, pfn: number, memory: DumpedMemory): Reply {
  const answer = memory.page(pfn);
  if (answer.kind === 'page') return reply(seq, Code.mem, 0, answer.bytes);
  if (answer.kind === 'reserved') return reply(seq, Code.reserved, answer.next);
  return reply(seq, Code.error, pfn, encodeUtf8(answer.text));
}

function reply(seq: number, code: number, info: number, ...payload: Uint8Array[]): Reply {
  return { version: protocolVersion, seq, code, info, payload };
}

/** The descriptor of an NT_PRSTATUS note; none where the registers are not known. */
function registersOf({ kernel, panicCpu }: Machine): Uint8Array {
  const { registers } = panicCpu;
  if (registers === undefined) return new Uint8Array(0);
  return prstatusNote(
    registers,
    pidOf(panicCpu, kernel.types.offsetOf('struct task_struct', 'pid')),
  ).desc;
}

function pidOf({ memory, task }: Cpu, offset: number): number {
  return attempt(() => memory.i32(task + BigInt(offset))) ?? 0;
}
