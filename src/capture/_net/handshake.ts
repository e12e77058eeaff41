/** How a network dump begins: the machine says every second that it is there, until it is heard. */

import { second } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import { MachineStop } from '../../machine/stop.ts';
import type { Link } from './link.ts';
import { Command, type Reply } from './protocol.ts';

interface Hello {
  readonly hello: Reply;
  /** What an answer to it must have. */
  readonly magic: bigint;
  /** How often it is said; without end where it is not given. */
  readonly maxTries?: number;
}

export interface Shaken {
  /** The server's; undefined: it did not answer. */
  readonly version: number | undefined;
  readonly tries: number;
}

const everyNs = second;

export function shake(machine: Machine, link: Link, { hello, magic, maxTries }: Hello): Shaken {
  let tries = 0;
  while (tries < (maxTries ?? Number.POSITIVE_INFINITY)) {
    tries++;
    try {
      link.send([hello]);
      for (const request of link.receive(machine.clock.now + everyNs)) {
        const isAnswer = request.magic === magic && request.command === Command.startAck;
        if (isAnswer) return { version: request.from, tries };
      }
    } catch (error) {
      throw unheard(error);
    }
  }
  return { version: undefined, tries };
}

/** The clock stops what has no end. */
function unheard(error: unknown): unknown {
  if (!(error instanceof MachineStop) || error.object !== 'netpoll') return error;
  const end = error.kind === 'reset' ? ', until the hardware watchdog resets the machine' : '';
  const cause = `no server answers: it says every second that it is there${end}`;
  return new MachineStop(error.kind, cause, 'server', error);
}
