/** The dump server as a state machine: many clients, loss, strangers, lies, and what stays. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import {
  DumpServer,
  type Outgoing,
  type Peer,
  type ServerEvent,
} from '../../src/capture/_net/dump-server.ts';
import {
  firstQuestion,
  netdumpSession,
  onNetdumpReply,
} from '../../src/capture/_net/netdump-session.ts';
import {
  Code,
  Command,
  decodeRequest,
  encodeBlock,
  encodeReply,
  type Reply,
} from '../../src/capture/_net/protocol.ts';
import { sessionBase } from '../../src/capture/_net/session.ts';
import { openDump } from '../../src/dump/open.ts';
import { world } from '../machine/support.ts';
import {
  dumpAll,
  LkcdMachine,
  MemoryFiles,
  NetdumpMachine,
  pageOf,
  pageSize,
} from '../support/dumping.ts';

const limits = { clients: 256, bytes: 1 << 30 };

function serverOf(changes: Partial<typeof limits> = {}) {
  const files = new MemoryFiles();
  const events: ServerEvent[] = [];
  const server = new DumpServer(files, { ...limits, ...changes }, (event) => events.push(event));
  return { server, files, events };
}

const peer = (number: number, protocol: Peer['protocol'] = 'netdump'): Peer => {
  return { address: `10.0.${number >> 8}.${number & 255}`, port: 6666, protocol };
};

/** True for `permille` of the packets, the same ones each time. */
function loss(permille: number): () => boolean {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % 1000 < permille;
  };
}

async function expectWhole(files: MemoryFiles, name: string, machine: NetdumpMachine) {
  const dump = await openDump(files.source(name), world);
  expect(dump.incomplete).toBeUndefined();
  for (let pfn = 0; pfn < machine.pages; pfn++) {
    const { bytes } = dump.readPage(pfn);
    expect(Buffer.compare(bytes!, pageOf(machine.number, pfn)), `page ${pfn}`).toBe(0);
  }
  expect(dump.endPfn).toBe(machine.pages);
}

test('200 machines at once with 5 % loss: every dump is whole, and its own', async () => {
  const { server, files, events } = serverOf();
  const machines = Array.from({ length: 200 }, (_, index) => new NetdumpMachine(index, 40));
  const all = new Map(machines.map((machine) => [peer(machine.number), machine]));
  const ms = dumpAll(server, all, loss(50));
  // The last packet of some was lost.
  server.onTimer((ms + 31_000) * 1e6);
  expect(files.whole.size).toBe(200);
  expect(files.open.size).toBe(0);
  expect(events.filter(({ what }) => what === 'complete')).toHaveLength(200);
  for (const name of files.whole.keys()) {
    const [, third, fourth] = /\.(\d+)\.(\d+)-/.exec(name)!;
    await expectWhole(files, name, machines[Number(third) * 256 + Number(fourth)]!);
  }
  expect(server.active).toBe(0);
});

test.each([0, 50, 300])(
  'LKCD: %i packets of 1000 lost, the file is what was pushed',
  (permille) => {
    const { server, files } = serverOf();
    const file = Uint8Array.from({ length: 100_001 }, (_, at) => (at * 7 + (at >> 8)) & 255);
    dumpAll(server, new Map([[peer(1, 'lkcd'), new LkcdMachine(file)]]), loss(permille));
    const [name] = files.whole.keys();
    const written = files.source(name!);
    expect(written.size).toBe(file.length);
    expect(Buffer.compare(written.read(0, file.length), file)).toBe(0);
  },
);

test('a hole behind the last page is no reason to say that a dump is not whole', async () => {
  const { server, files } = serverOf();
  const machine = new NetdumpMachine(1, 4);
  const holed = {
    get isOver() {
      return machine.isOver;
    },
    hello: () => machine.hello(),
    answer(packet: Uint8Array) {
      const { command, from, seq } = decodeRequest(packet)!;
      if (command !== Command.sendMem || from < 3) return machine.answer(packet);
      return [encodeReply({ version: 4, seq, code: Code.reserved, info: 4, payload: [] })];
    },
  };
  dumpAll(server, new Map([[peer(1), holed]]));
  const [name] = files.whole.keys();
  const dump = await openDump(files.source(name!), world);
  expect(dump.incomplete).toBeUndefined();
  expect(dump.endPfn).toBe(3);
});

describe('a client that stops', () => {
  test('is asked again, then given up, and its file says that it is not whole', async () => {
    const { server, files, events } = serverOf();
    const machine = new NetdumpMachine(1, 100);
    const stops = { ...machine, isOver: false };
    const dying = {
      ...stops,
      hello: () => machine.hello(),
      answer: (packet: Uint8Array) => (machine.asked < 50 ? machine.answer(packet) : []),
    };
    dumpAll(server, new Map([[peer(1), dying]]), undefined, 40_000);
    expect(events.at(-1)).toMatchObject({ what: 'given up', cause: expect.stringMatching(/30 s/) });
    expect([...files.open.keys()]).toEqual([events.at(-1)?.file]);
    const dump = await openDump(files.open.values().next().value!.source(), world);
    expect(dump.incomplete).toBeDefined();
    const { bytes } = dump.readPage(10);
    expect(Buffer.compare(bytes!, pageOf(1, 10))).toBe(0);
  });

  test('and one that is only slow is waited for', () => {
    const { server, files } = serverOf();
    const machine = new NetdumpMachine(1, 4);
    let packets: Uint8Array[] = machine.hello();
    for (let second = 0; second < 400 && !machine.isOver; second += 10) {
      const asked = packets.flatMap((packet) => server.onPacket(peer(1), packet, second * 1e9));
      asked.push(...server.onTimer(second * 1e9));
      packets = asked.slice(0, 1).flatMap(({ packet }) => machine.answer(packet));
    }
    expect(files.whole.size).toBe(1);
  });
});

describe('who may not', () => {
  test('a stranger cannot put pages into the dump of another', async () => {
    const { server, files } = serverOf();
    const machine = new NetdumpMachine(1, 30);
    const evil = { ...peer(1), port: 31337 };
    const guarded = {
      onPacket: (from: Peer, packet: Uint8Array, nowNs: number) => {
        for (let seq = 1000; seq < 1060; seq++) {
          const lie = { version: 4, seq, code: Code.mem, info: 0, payload: [new Uint8Array(1024)] };
          expect(server.onPacket(evil, encodeReply(lie), nowNs)).toEqual([]);
        }
        return server.onPacket(from, packet, nowNs);
      },
      onTimer: (nowNs: number) => server.onTimer(nowNs),
    };
    dumpAll(guarded, new Map([[peer(1), machine]]));
    const [name] = files.whole.keys();
    await expectWhole(files, name!, machine);
  });

  test('more machines than the limit are refused, and told of', () => {
    const { server, events } = serverOf({ clients: 2 });
    for (let number = 0; number < 3; number++) {
      const [hello] = new NetdumpMachine(number, 4).hello();
      server.onPacket(peer(number), hello!, 0);
    }
    expect(events.map(({ what }) => what)).toEqual(['begins', 'begins', 'refused']);
  });

  test('machines whose dumps are whole leave their places to others', () => {
    const { server, files, events } = serverOf({ clients: 3 });
    for (let number = 0; number < 40; number++) {
      dumpAll(server, new Map([[peer(number), new NetdumpMachine(number, 2)]]));
    }
    expect(events.filter(({ what }) => what === 'refused')).toEqual([]);
    expect(files.whole.size).toBe(40);
  });

  test('packets of a dump that is whole, said again, make no second one', () => {
    const { server, files } = serverOf();
    const machine = new NetdumpMachine(1, 20);
    const said: Uint8Array[] = [];
    const heard = {
      onPacket: (from: Peer, packet: Uint8Array, nowNs: number) => {
        said.push(packet.slice());
        return server.onPacket(from, packet, nowNs);
      },
      onTimer: (nowNs: number) => server.onTimer(nowNs),
    };
    dumpAll(heard, new Map([[peer(1), machine]]));
    expect(files.whole.size).toBe(1);
    for (const packet of said) server.onPacket(peer(1), packet, 10e9);
    // From elsewhere they begin a dump to which nothing fits.
    for (const packet of said) server.onPacket(peer(2), packet, 10e9);
    server.onTimer(100e9);
    expect(files.whole.size).toBe(1);
    for (const file of files.open.values()) expect(file.source().size).toBeLessThan(3_000_000);
  });
});

test('what the disk refuses ends that dump and no other one', () => {
  const { server, files, events } = serverOf();
  const incomplete = files.incomplete.bind(files);
  files.incomplete = (name) => {
    if (name.startsWith('10.0.0.2-')) throw new DumpError('io', 'cannot be written: ENOSPC');
    return incomplete(name);
  };
  const machines = [1, 2, 3].map((number) => new NetdumpMachine(number, 40));
  const all = new Map(machines.map((machine) => [peer(machine.number), machine]));
  dumpAll(server, all, undefined, 5000);
  expect(machines.map(({ isOver }) => isOver)).toEqual([true, false, true]);
  expect(files.whole.size).toBe(2);
  expect(events.filter(({ what }) => what === 'given up')).toEqual([
    expect.objectContaining({ peer: peer(2), cause: 'cannot be written: ENOSPC' }),
  ]);
});

test.each([
  [1, 16],
  [50, 16],
  [200, 4],
])('%i machines at once are each asked for at most %i pages at a time', (count, most) => {
  const { server } = serverOf();
  const machines = Array.from({ length: count }, (_, number) => new NetdumpMachine(number, 40));
  const pagesAsked = (asked: readonly Outgoing[]): number =>
    asked.filter(({ packet }) => decodeRequest(packet)?.command === Command.sendMem).length;
  let packets = machines.map((machine) => machine.hello());
  // The handshake and three questions; then the first pages.
  for (let round = 0; round < 4; round++) {
    const asked = packets.map((all, number) =>
      all.flatMap((packet) => server.onPacket(peer(number), packet, 0)),
    );
    if (round === 3) for (const one of asked) expect(pagesAsked(one)).toBe(most);
    packets = asked.map((all, number) =>
      all.flatMap(({ packet }) => machines[number]!.answer(packet)),
    );
  }
});

test('who answers once a second holds up nobody else', () => {
  const { server, files } = serverOf();
  const slow = new NetdumpMachine(0, 200);
  let ms = 0;
  const clocked = {
    onPacket: (from: Peer, packet: Uint8Array, nowNs: number) => {
      ms = nowNs / 1e6;
      return server.onPacket(from, packet, nowNs);
    },
    onTimer: (nowNs: number) => server.onTimer(nowNs),
  };
  const crawling = {
    get isOver() {
      return quick.every(({ isOver }) => isOver);
    },
    hello: () => slow.hello(),
    answer: (packet: Uint8Array) => (Math.floor(ms) % 1000 === 0 ? slow.answer(packet) : []),
  };
  const quick = Array.from({ length: 20 }, (_, index) => new NetdumpMachine(index + 1, 100));
  const all = new Map(quick.map((machine) => [peer(machine.number), machine]));
  const alone = dumpAll(serverOf().server, new Map([[peer(1), new NetdumpMachine(1, 100)]]));
  const together = dumpAll(clocked, new Map([[peer(0), crawling], ...all]));
  expect(together).toBeLessThanOrEqual(alone + 1);
  expect(files.whole.size).toBe(20);
  expect(slow.isOver).toBe(false);
});

describe('what is kept of a client has a bound', () => {
  const greeting = { magic: 1n, task: 0n, pageOffset: 0n };
  const asked = () => {
    const files = new MemoryFiles();
    const session = netdumpSession(sessionBase('file', greeting, 0, 0));
    const say = (seq: number, code: number, info: number, size: number): void => {
      const reply = { version: 4, seq, code, info, payload: [new Uint8Array(size)] };
      onNetdumpReply(session, reply, 0, files, { ...limits, window: 16 });
    };
    firstQuestion(session, 0);
    say(1, Code.pageSize, pageSize, 0);
    say(2, Code.nrPages, 1 << 18, 0);
    say(3, Code.regs, 0, 8);
    return { session, say };
  };

  test('whatever it answers', () => {
    const answer = fc.record({
      code: fc.constantFrom(Code.mem, Code.reserved, Code.error),
      info: fc.oneof(fc.constantFrom(0, 1024, 2048, 3072), fc.nat(1 << 18)),
      size: fc.constantFrom(0, 1023, 1024),
      which: fc.nat(15),
    });
    const answers = fc.array(answer, { minLength: 100, maxLength: 2000 });
    const property = fc.property(answers, (all) => {
      const { session, say } = asked();
      for (const { code, info, size, which } of all) {
        say(session.asked[which % session.asked.length]?.seq ?? 0, code, info, size);
        expect(session.asked.length).toBeLessThanOrEqual(16);
        for (const { partial } of session.asked) {
          expect(partial?.bytes.length ?? 0).toBeLessThanOrEqual(pageSize);
        }
      }
    });
    fc.assert(property, { numRuns: 50, seed: 1 });
  });

  test('and in however many pieces its memory is', () => {
    const { session, say } = asked();
    for (let page = 0; page < 9000 && session.phase === 'open'; page++) {
      const { seq, from } = session.asked[0]!;
      const isHole = from % 2 === 1;
      say(seq, isHole ? Code.error : Code.mem, 0, isHole ? 0 : pageSize);
    }
    expect(session.runs).toHaveLength(4096);
    expect(session.cause).toMatch(/more than 4096 pieces/);
  });
});

/** A client that answers by `lie`; gives the events that it led to. */
function liar(lie: (command: number, seq: number) => Partial<Reply>, rounds = 300) {
  const { server, files, events } = serverOf({ bytes: 1 << 24 });
  let packets = new NetdumpMachine(1, 4).hello();
  for (let round = 0; round < rounds && packets.length > 0; round++) {
    const asked = packets.flatMap((packet) => server.onPacket(peer(1), packet, round));
    packets = asked.flatMap(({ packet }) => {
      const { command, seq } = decodeRequest(packet)!;
      if (command === Command.startAck) return [];
      const answer = { version: 4, seq, code: Code.none, info: 0, payload: [] };
      return [encodeReply({ ...answer, ...lie(command, seq) })];
    });
  }
  return { files, events };
}

const sound = (command: number): Partial<Reply> => {
  if (command === Command.getPageSize) return { code: Code.pageSize, info: pageSize };
  if (command === Command.getNrPages) return { code: Code.nrPages, info: 4096 };
  return { code: Code.regs, payload: [new Uint8Array(8)] };
};

describe('a client that lies', () => {
  test.each([
    ['pages of 3 bytes', () => ({ code: Code.pageSize, info: 3 }), /pages have 3 bytes/],
    [
      'more memory than it may have',
      (command: number) =>
        command === Command.getNrPages ? { code: Code.nrPages, info: 2 ** 32 - 1 } : sound(command),
      /more than the limit/,
    ],
  ])('%s: given up, and no file', (_, lie, cause) => {
    const { files, events } = liar(lie);
    expect(events.at(-1)).toMatchObject({ what: 'given up', file: undefined });
    expect(events.at(-1)?.cause).toMatch(cause);
    expect(files.open.size).toBe(0);
  });

  test('nothing but holes: it ends without a file', () => {
    const hole = { code: Code.reserved, info: 0 };
    const { files, events } = liar(
      (command) => (command === Command.sendMem ? hole : sound(command)),
      9000,
    );
    expect(files.open.size + files.whole.size).toBe(0);
    expect(events.filter(({ what }) => what === 'begins')).toHaveLength(1);
  });

  test('chunks that lie outside of their page are passed over', () => {
    const { files } = liar((command) =>
      command === Command.sendMem
        ? { code: Code.mem, info: 0xffff_fc00, payload: [new Uint8Array(1024)] }
        : sound(command),
    );
    expect(files.open.size).toBe(0);
  });

  test('LKCD blocks beyond the limit, of no length, or of a name that is none', () => {
    const { server, files, events } = serverOf({ bytes: 1 << 20 });
    const from = peer(1, 'lkcd');
    const [hello] = new LkcdMachine(new Uint8Array(1)).hello();
    server.onPacket(from, hello!, 0);
    const push = (offset: number, length: number, seq = 1) => {
      const payload = [encodeBlock({ offset, length })];
      const packet = { version: 4, seq, code: Code.startWrite, info: 0, payload };
      return server.onPacket(from, encodeReply(packet), 0);
    };
    expect(push(0, 0)).toEqual([]);
    expect(push(0, 2 ** 31)).toEqual([]);
    expect(push(0, 1024, 7)).toEqual([]);
    expect(push(2 ** 50, 1024)).toEqual([]);
    expect(events.at(-1)).toMatchObject({ what: 'given up' });
    expect(files.open.size).toBe(0);
  });
});

test('whatever comes, nothing is thrown, and no file is named whole that is not', () => {
  const [hello] = new NetdumpMachine(1, 50).hello();
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 1100 }),
    fc
      .record({
        seq: fc.integer({ min: 1000, max: 1070 }),
        code: fc.nat(13),
        info: fc.nat(),
        size: fc.nat(1024),
      })
      .map(({ seq, code, info, size }) => {
        const payload = [new Uint8Array(size)];
        return encodeReply({ version: 4, seq, code, info, payload });
      }),
  );
  const protocol = fc.constantFrom<Peer['protocol']>('netdump', 'lkcd');
  fc.assert(
    fc.property(protocol, fc.array(packet, { maxLength: 200 }), (kind, packets) => {
      const { server, files } = serverOf();
      server.onPacket(peer(1, kind), hello!, 0);
      for (const [index, bytes] of packets.entries()) {
        server.onPacket(peer(1, kind), bytes, index * 1e6);
        server.onTimer(index * 1e6);
      }
      expect(files.whole.size).toBe(0);
    }),
    { numRuns: 200, seed: 1 },
  );
});
