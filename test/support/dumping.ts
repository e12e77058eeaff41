/** Crashed machines as a dump server meets them, packet by packet, and a server in memory. */

import { KeptFile } from '../../src/bytes/kept-file.ts';
import type { Source } from '../../src/bytes/source.ts';
import type { DumpFiles, Outgoing, Peer } from '../../src/capture/_net/dump-server.ts';
import {
  Code,
  Command,
  decodeRequest,
  encodeBlock,
  encodeReply,
  greetingText,
  type Reply,
  split,
} from '../../src/capture/_net/protocol.ts';

export const pageSize = 4096;

/** What page `pfn` of the machine with this number holds. */
export function pageOf(machine: number, pfn: number): Uint8Array {
  const page = new Uint8Array(pageSize);
  const view = new DataView(page.buffer);
  for (let at = 0; at < pageSize; at += 8) {
    view.setUint32(at, machine);
    view.setUint32(at + 4, pfn * 512 + at);
  }
  return page;
}

const reply = (seq: number, code: number, info: number, ...payload: Uint8Array[]): Reply => {
  return { version: 4, seq, code, info, payload };
};

/** A machine that hands out its memory. */
export class NetdumpMachine {
  readonly number: number;
  readonly pages: number;
  /** Its dump is over: it reboots. */
  isOver = false;
  /** Pages that it was asked for. */
  asked = 0;

  constructor(number: number, pages: number) {
    this.number = number;
    this.pages = pages;
  }

  hello(): Uint8Array[] {
    const magic = BigInt(this.number) + 0xabc0_0000n;
    const text = greetingText({ magic, task: 0xffff_8880_0000_1000n, pageOffset: 0n });
    return [encodeReply(reply(0, Code.startNetdump, 0, text))];
  }

  /** Its packets in answer to one of the server's. */
  answer(packet: Uint8Array): Uint8Array[] {
    const request = decodeRequest(packet);
    if (request === undefined || this.isOver) return [];
    return split(this.#answerTo(request)).map(encodeReply);
  }

  #answerTo({ command, seq, from }: { command: number; seq: number; from: number }): Reply {
    switch (command) {
      case Command.getPageSize:
        return reply(seq, Code.pageSize, pageSize);
      case Command.getNrPages:
        return reply(seq, Code.nrPages, this.pages);
      case Command.getRegs:
        return reply(seq, Code.regs, 0, new Uint8Array(336));
      case Command.sendMem:
        this.asked++;
        return reply(seq, Code.mem, 0, pageOf(this.number, from));
      case Command.reboot:
        this.isOver = true;
        return reply(seq, Code.endNetdump, 0);
      default:
        return reply(seq, Code.none, 0);
    }
  }
}

/** A machine that pushes a file. */
export class LkcdMachine {
  readonly file: Uint8Array;
  isOver = false;
  #block = 0;
  readonly #blockSize: number;

  constructor(file: Uint8Array, blockSize = 16 * 1024) {
    this.file = file;
    this.#blockSize = blockSize;
  }

  /** What it says until it is heard: that it is there, has a block, is at its end. */
  hello(): Uint8Array[] {
    if (this.#block === 0) {
      const text = greetingText({ magic: 77n, task: 0n, pageOffset: 0n });
      return [encodeReply(reply(0, Code.startNetdump, 0, text))];
    }
    const { offset, length } = this.#place();
    if (length === 0) {
      this.isOver = true;
      return Array.from({ length: 6 }, () => encodeReply(reply(0, Code.endNetdump, 0)));
    }
    const place = encodeBlock({ offset, length });
    return [encodeReply(reply(this.#block, Code.startWrite, 0, place))];
  }

  answer(packet: Uint8Array): Uint8Array[] {
    const request = decodeRequest(packet);
    if (request === undefined) return [];
    if (request.command === Command.startAck && this.#block === 0) {
      this.#block = 1;
      return this.hello();
    }
    if (request.command === Command.startWriteAck && request.from === this.#block) {
      this.#block++;
      return this.hello();
    }
    if (request.command !== Command.sendMem || request.from !== this.#block) return [];
    const { offset, length } = this.#place();
    const bytes = this.file.subarray(offset, offset + length);
    return split(reply(request.seq, Code.mem, 0, bytes)).map(encodeReply);
  }

  #place(): { readonly offset: number; readonly length: number } {
    const offset = (this.#block - 1) * this.#blockSize;
    const length = Math.max(0, Math.min(this.#blockSize, this.file.length - offset));
    return { offset, length };
  }
}

/** The files of a server, in memory. */
export class MemoryFiles implements DumpFiles {
  readonly whole = new Map<string, KeptFile>();
  readonly open = new Map<string, KeptFile>();
  #number = 0;

  newName({ address }: Peer): string {
    return `${address}-${this.#number++}`;
  }

  incomplete(name: string): KeptFile {
    const file = this.open.get(name) ?? new KeptFile(name);
    this.open.set(name, file);
    return file;
  }

  complete(name: string): void {
    this.whole.set(name, this.open.get(name)!);
    this.open.delete(name);
  }

  draw(): number {
    return this.#number * 1000;
  }

  release(): void {}

  source(name: string): Source {
    return this.whole.get(name)!.source();
  }
}

export interface Dumping {
  readonly isOver: boolean;
  hello(): Uint8Array[];
  answer(packet: Uint8Array): Uint8Array[];
}

export interface OnWire {
  onPacket(peer: Peer, packet: Uint8Array, nowNs: number): Outgoing[];
  onTimer(nowNs: number): Outgoing[];
}

/**
 * All machines dump to the server at once, in steps of a millisecond; `isLost` decides for every
 * packet of either side. Gives the virtual milliseconds that it took, at most `limitMs`.
 */
export function dumpAll(
  server: OnWire,
  machines: ReadonlyMap<Peer, Dumping>,
  isLost: () => boolean = () => false,
  limitMs = 600_000,
): number {
  let toServer: [Peer, Uint8Array][] = [];
  let toMachine: Outgoing[] = [];
  for (let ms = 0; ms < limitMs; ms++) {
    const isOver = [...machines.values()].every((machine) => machine.isOver);
    if (isOver && toServer.length === 0) return ms;
    if (ms % 1000 === 0) {
      for (const [peer, machine] of machines) {
        if (!machine.isOver) for (const packet of machine.hello()) toServer.push([peer, packet]);
      }
    }
    const arrived = toServer.filter(() => !isLost());
    const asked = toMachine.filter(() => !isLost());
    toServer = asked.flatMap(({ to, packet }) =>
      machines
        .get(to)!
        .answer(packet)
        .map((answer): [Peer, Uint8Array] => [to, answer]),
    );
    const nowNs = ms * 1e6;
    toMachine = arrived.flatMap(([peer, packet]) => server.onPacket(peer, packet, nowNs));
    if (ms % 50 === 0) toMachine.push(...server.onTimer(nowNs));
  }
  return limitMs;
}
