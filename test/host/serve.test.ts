/** `tsdump serve` on real sockets, as a process of its own; it needs the built program. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { Command, decodeRequest } from '../../src/capture/_net/protocol.ts';
import type { Transport } from '../../src/capture/method.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump } from '../../src/dump/types.ts';
import { fileSource } from '../../src/host/file-source.ts';
import { Questioner } from '../../src/trial/answers.ts';
import type { CaptureRun } from '../../src/trial/run.ts';
import { startRun, world } from '../machine/support.ts';
import { documentsOf, program, root, tsdump } from '../support/cli.ts';
import { type Dumping, LkcdMachine, NetdumpMachine, pageOf } from '../support/dumping.ts';
import { openPanic } from '../support/machines.ts';
import { schemaProblems } from '../support/schemas.ts';

/** Threads start from compiled code. */
const { udpTransport }: typeof import('../../src/host/udp-transport.ts') = await import(
  pathToFileURL(join(root, 'dist/host/udp-transport.js')).href
);

const folder = mkdtempSync(join(tmpdir(), 'tsdump-serve-'));
afterAll(() => rmSync(folder, { recursive: true }));

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

interface Served {
  readonly child: ChildProcess;
  readonly port: number;
  readonly directory: string;
  /** What it printed. */
  readonly lines: string[];
  readonly ended: Promise<unknown>;
}

let served = 0;

async function serve(...words: string[]): Promise<Served> {
  const directory = join(folder, String(served++));
  const all = ['serve', '--listen', '127.0.0.1:0', '--dir', directory, '--json', ...words];
  const child = spawn(process.execPath, [program, ...all], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  const lines: string[] = [];
  const reader = createInterface(child.stdout!);
  const first = once(reader, 'line');
  reader.on('line', (line) => lines.push(line));
  const ended = once(child, 'exit');
  await first;
  const { data } = JSON.parse(lines[0]!);
  return { child, port: Number(data.address.split(':')[1]), directory, lines, ended };
}

const open = (served: Served, name: string): Promise<Dump> =>
  openDump(fileSource(join(served.directory, name)), world);

/** Answers the server until `isEnough`; gives whether it was heard at all. */
async function dumpTo(port: number, machine: Dumping, isEnough: () => boolean) {
  const socket = createSocket('udp4');
  const send = (packets: readonly Uint8Array[]): void => {
    for (const packet of packets) socket.send(packet, port, '127.0.0.1');
  };
  let heard = 0;
  await new Promise<void>((resolve) => {
    socket.on('message', (packet) => {
      heard++;
      send(machine.answer(packet));
      if (isEnough()) resolve();
    });
    send(machine.hello());
  });
  return { heard, close: () => socket.close() };
}

const noTarget = { sink: new MemorySink(), open: () => expect.fail('nothing is written here') };

/** Where a server of netdump puts the first page. */
const pagesInElf = 256 * 1024;

/**
 * The verdict on a run whose dump a real server has; what is judged is that server's file, byte by
 * byte from `from` on.
 */
async function verdictAndFile(run: CaptureRun, transport: Transport, file: string, from = 0) {
  const sink = new MemorySink();
  run.method.save(run.machine, sink, run.options, world);
  const bytes = sink.bytes();
  const source = fileSource(file);
  expect(bytes.length).toBe(source.size);
  const served = source.read(from, source.size - from);
  expect(Buffer.compare(bytes.subarray(from), served), 'what is judged').toBe(0);
  source.close();
  const { verdict } = await run.conclude(noTarget, { ...world, transport });
  expect(noTarget.sink.bytes()).toHaveLength(0);
  expect(verdict.reasons.at(-1)).toMatch(/the file of the server was not looked at/);
  return verdict;
}

test('netdump over loopback, with packets lost, late and twice: the dump is whole', async () => {
  const server = await serve('--count', '1');
  const disturbance = {
    ...{ lossPermille: 2, duplicatePermille: 5, reorderPermille: 5 },
    ...{ delayMs: 0, seed: 7 },
  };
  const transport = udpTransport({ address: '127.0.0.1', port: server.port }, disturbance);
  const dump = await openPanic('null-process');
  const run = startRun({ dump, method: 'netdump', machine: world });
  run.finish({ ...world, transport });
  expect(run.stages.at(-1)).toMatchObject({ name: 'reboot', result: 'ok' });
  await transport.close();
  const [status] = (await server.ended) as [number];
  expect(status).toBe(0);
  const [name] = readdirSync(server.directory);
  expect(name).toMatch(/^127\.0\.0\.1-\d{8}T\d{6}-vmcore$/);
  const written = await open(server, name!);
  expect(written.incomplete).toBeUndefined();
  const verdict = await run.judged(
    () => fileSource(join(server.directory, name!)),
    world.codecs,
    new Questioner(),
  );
  expect(verdict.class).toBe('complete');
  // In what an ELF header does not use stands what packets out of order once made of it.
  const file = join(server.directory, name!);
  const mirrored = await verdictAndFile(run, transport, file, pagesInElf);
  expect(mirrored).toMatchObject({ class: 'complete', pages: verdict.pages });
  written.close();
  const documents = documentsOf(server.lines.join('\n'));
  expect(documents.flatMap(schemaProblems)).toEqual([]);
  expect(documents.map(({ data }) => data.event)).toEqual(['listening', 'begins', 'complete']);
}, 180_000);

test('LKCD pushes its file over loopback, with packets lost, and it is whole', async () => {
  const server = await serve('--count', '1', '--protocol', 'lkcd');
  const disturbance = {
    ...{ lossPermille: 2, duplicatePermille: 5, reorderPermille: 5 },
    ...{ delayMs: 1, seed: 7 },
  };
  const transport = udpTransport({ address: '127.0.0.1', port: server.port }, disturbance);
  const dump = await openPanic('null-process');
  const run = startRun({ dump, method: 'lkcd-net:fixed-mac', level: 30, machine: world });
  await world.codecs.prepare(run.options.compression);
  run.finish({ ...world, transport });
  expect(run.stages.at(-1)).toMatchObject({ name: 'reboot', result: 'ok' });
  await transport.close();
  await server.ended;
  const [name] = readdirSync(server.directory);
  expect(name).toMatch(/-lkcd$/);
  const verdict = await run.judged(
    () => fileSource(join(server.directory, name!)),
    world.codecs,
    new Questioner(),
  );
  expect(verdict.class).toBe('complete');
  const mirrored = await verdictAndFile(run, transport, join(server.directory, name!));
  expect(mirrored).toMatchObject({ class: 'complete', pages: verdict.pages });
}, 180_000);

describe('a server that takes no more', () => {
  const watchdogSeconds = 8;

  test('of LKCD: what it acknowledged is judged, which is what its file has', async () => {
    const server = await serve('--protocol', 'lkcd', '--max-bytes', '8M');
    const transport = udpTransport({ address: '127.0.0.1', port: server.port });
    const dump = await openPanic('null-process');
    const machine = { ...world, watchdogSeconds };
    const run = startRun({ dump, method: 'lkcd-net:fixed-mac', level: 30, machine });
    await world.codecs.prepare(run.options.compression);
    run.finish({ ...world, transport });
    expect(run.stages.at(-1)).toMatchObject({ result: 'failed', kind: 'reset' });
    await transport.close();
    const [name] = readdirSync(server.directory);
    expect(name).toMatch(/-lkcd-incomplete$/);
    const verdict = await verdictAndFile(run, transport, join(server.directory, name!));
    expect(verdict.class).toBe('partial');
  }, 60_000);

  test('of netdump, before the first page: there is no dump', async () => {
    const server = await serve('--max-bytes', '8M');
    const transport = udpTransport({ address: '127.0.0.1', port: server.port });
    const dump = await openPanic('null-process');
    const run = startRun({ dump, method: 'netdump', machine: { ...world, watchdogSeconds } });
    run.finish({ ...world, transport });
    await transport.close();
    expect(readdirSync(server.directory)).toEqual([]);
    const { verdict } = await run.conclude(noTarget, { ...world, transport });
    expect(verdict).toMatchObject({ class: 'none', reasons: ['no dump was left'] });
  }, 60_000);
});

test('capture --server: the dump is at the server, judged by what that acknowledged', async () => {
  const server = await serve('--count', '1');
  const words = ['--server', `127.0.0.1:${server.port}`, '-o', join(folder, 'unused')];
  const { status, stdout } = tsdump(['netdump', ...words]);
  expect(stdout).toMatch(/^complete: the dump is with its server; for a closer look: /m);
  expect(stdout).toMatch(/judged by what was sent and its server acknowledged/);
  expect(status).toBe(0);
  await server.ended;
  const [name] = readdirSync(server.directory);
  const dump = await open(server, name!);
  expect(dump.incomplete).toBeUndefined();
  dump.close();
  expect(existsSync(join(folder, 'unused'))).toBe(false);
  const refused = tsdump(['kexec', ...words]);
  expect(refused.stderr).toMatch(/kexec needs no dump server/);
  expect(refused.status).toBe(2);
}, 60_000);

test('killed at any point, what it had taken can be read, and says that it is not all', async () => {
  for (const pages of [40, 400, 1500]) {
    const server = await serve();
    const machine = new NetdumpMachine(5, 4000);
    const client = await dumpTo(server.port, machine, () => machine.asked >= pages);
    server.child.kill('SIGKILL');
    await server.ended;
    client.close();
    const [name] = readdirSync(server.directory);
    expect(name).toMatch(/-vmcore-incomplete$/);
    const dump = await open(server, name!);
    expect(dump.incomplete).toBeDefined();
    let there = 0;
    for (let pfn = 0; pfn < dump.endPfn; pfn++) {
      const { bytes } = dump.readPage(pfn);
      if (bytes === undefined) continue;
      there++;
      expect(Buffer.compare(bytes, pageOf(5, pfn)), `page ${pfn}`).toBe(0);
    }
    // It asks for another page when it has taken one: 16 are under way.
    expect(there).toBeGreaterThanOrEqual(pages - 16);
    dump.close();
  }
}, 60_000);

test('killed at any point, every block of LKCD that it acknowledged is in its file', async () => {
  const bytes = Uint8Array.from({ length: 4 << 20 }, (_, at) => (at * 7 + (at >> 8)) & 255);
  for (const blocks of [1, 20, 200]) {
    const server = await serve('--protocol', 'lkcd');
    const machine = new LkcdMachine(bytes);
    let acknowledged = 0;
    const counted: Dumping = {
      isOver: false,
      hello: () => machine.hello(),
      answer(packet) {
        if (decodeRequest(packet)?.command === Command.startWriteAck) acknowledged++;
        return machine.answer(packet);
      },
    };
    const client = await dumpTo(server.port, counted, () => acknowledged >= blocks);
    server.child.kill('SIGKILL');
    await server.ended;
    client.close();
    const [name] = readdirSync(server.directory);
    expect(name).toMatch(/-lkcd-incomplete$/);
    const file = readFileSync(join(server.directory, name!));
    expect(acknowledged).toBeGreaterThanOrEqual(blocks);
    const end = acknowledged * 16 * 1024;
    expect(file.length).toBeGreaterThanOrEqual(end);
    expect(Buffer.compare(file.subarray(0, end), bytes.subarray(0, end))).toBe(0);
  }
}, 60_000);

test('a server in the place of one that was killed lets its files be', async () => {
  const killed = await serve();
  const machine = new NetdumpMachine(5, 4000);
  const client = await dumpTo(killed.port, machine, () => machine.asked >= 100);
  killed.child.kill('SIGKILL');
  await killed.ended;
  client.close();
  const [left] = readdirSync(killed.directory);
  const before = readFileSync(join(killed.directory, left!));
  const next = await serve('--dir', killed.directory, '--count', '1');
  const again = new NetdumpMachine(5, 200);
  const whole = await dumpTo(next.port, again, () => again.isOver);
  await next.ended;
  whole.close();
  expect(Buffer.compare(readFileSync(join(killed.directory, left!)), before)).toBe(0);
  const names = readdirSync(killed.directory).filter((name) => name !== left);
  expect(names).toEqual([expect.stringMatching(/-vmcore(-2)?$/)]);
  const dump = await open(killed, names[0]!);
  expect(dump.incomplete).toBeUndefined();
  expect(dump.endPfn).toBe(200);
  dump.close();
}, 60_000);

test('who is not allowed is not heard', async () => {
  const server = await serve('--allow', '10.0.0.0/8');
  const other = await serve();
  const machine = new NetdumpMachine(1, 4);
  const stranger = createSocket('udp4');
  for (const packet of machine.hello()) stranger.send(packet, server.port, '127.0.0.1');
  // A whole dump to another server: the first had time to answer.
  const client = await dumpTo(other.port, new NetdumpMachine(2, 50), () => true);
  client.close();
  stranger.close();
  expect(server.lines).toHaveLength(1);
  expect(readdirSync(server.directory)).toEqual([]);
});

describe('what makes no sense is refused', () => {
  test.each([
    [['--listen', 'nowhere'], /not an address/],
    [['--listen', '127.0.0.1:99999'], /not an address/],
    [['--listen', '127.0.0.1:6666', '--protocol', 'both'], /a port for each/],
    [['--protocol', 'tftp'], /unknown "tftp"/],
    [['--allow', '10.0.0.0/33'], /not an address or a range/],
    [['--clients', '0'], /number from 1 on/],
    [['--max-bytes', 'much'], /not a size/],
  ])('%s', (words, message) => {
    const { status, stderr } = tsdump(['serve', ...words]);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});
