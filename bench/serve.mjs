/**
 * `tsdump serve` under many machines at once over loopback, with packets lost on both ways, beside
 * a floor: the same bytes in packets of the same size into as many files, with no protocol and no
 * loss. Machines and server share this computer, and the machines have one process: its part of the
 * time is the floor's, too. Goal: every dump whole, also those of a server that takes the place of
 * one that was killed; less than 300 MB of memory.
 */

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import * as protocol from '../dist/capture/_net/protocol.js';
import { createCodecs } from '../dist/codec/codecs.js';
import { openDump } from '../dist/dump/open.js';
import { fileSource } from '../dist/host/file-source.js';
import { nodeZlib } from '../dist/host/zlib.js';
import { cpuSeconds, highWaterKb } from './measure.mjs';

const program = join(dirname(fileURLToPath(import.meta.url)), '../bin/tsdump.js');
const floorProgram = fileURLToPath(new URL('./udp-floor.mjs', import.meta.url));
const { Code, Command, chunkSize } = protocol;
const codecs = createCodecs(nodeZlib);
const pageSize = 4096;
const machines = 200;
const pages = 256;
const bytes = machines * pages * pageSize;
const halfOfPages = (machines * pages) / 2;
/** Asked for and not there yet, of each machine. */
const maxUnderWay = 16;
const lossPermille = 50;
const goalMegabytes = 300;
const sampleMs = 20;
/** Packets of the floor under way for each machine: what the server asks of so many at a time. */
const window = 16;
const resendMs = 200;

/** True for so many packets of a thousand, the same ones each time. */
function lossOf(permille) {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % 1000 < permille;
  };
}

/** Page `pfn` of machine `number`. */
function pageOf(number, pfn) {
  const page = Buffer.alloc(pageSize, pfn & 255);
  page.writeUInt32BE(number, 0);
  page.writeUInt32BE(pfn, 4);
  return page;
}

/**
 * Dumps to the server; resolves to what the machine saw, when it is let go or `stop` resolves.
 * `onPage`: a page was asked for the first time.
 */
function dump(number, port, isLost, { onPage = () => {}, stop } = {}) {
  const socket = createSocket('udp4');
  const heard = new Set();
  let again = 0;
  const start = performance.now();
  const send = (reply) => {
    for (const packet of protocol.split(reply)) {
      if (!isLost()) socket.send(protocol.encodeReply(packet), port, '127.0.0.1');
    }
  };
  const say = (seq, code, info, ...payload) => send({ version: 4, seq, code, info, payload });
  const magic = BigInt(number + 1) << 16n;
  const hello = protocol.greetingText({ magic, task: 0n, pageOffset: 0n });
  const timer = setInterval(() => heard.size === 0 && say(0, Code.startNetdump, 0, hello), 1000);
  return new Promise((resolve) => {
    const end = () => {
      clearInterval(timer);
      socket.close();
      resolve({ again, seconds: (performance.now() - start) / 1000 });
    };
    stop?.then(end);
    socket.on('message', (packet) => {
      if (isLost()) return;
      const { seq, command, from } = protocol.decodeRequest(packet);
      if (command === Command.startAck) return;
      if (heard.has(seq)) again++;
      else if (command === Command.sendMem) onPage();
      heard.add(seq);
      if (command === Command.getPageSize) say(seq, Code.pageSize, pageSize);
      else if (command === Command.getNrPages) say(seq, Code.nrPages, pages);
      else if (command === Command.getRegs) say(seq, Code.regs, 0, new Uint8Array(336));
      else if (command === Command.sendMem) {
        say(seq, Code.mem, 0, pageOf(number, from));
      } else if (command === Command.reboot) {
        say(seq, Code.endNetdump, 0);
        end();
      }
    });
    say(0, Code.startNetdump, 0, hello);
  });
}

/** The same bytes to the floor. */
function copy(number, port) {
  const socket = createSocket('udp4');
  const total = (pages * pageSize) / chunkSize;
  const chunk = Buffer.alloc(13 + chunkSize, number & 255);
  const waiting = new Map();
  const start = performance.now();
  let next = 0;
  let again = 0;
  const send = (at) => {
    const packet = Buffer.from(chunk);
    packet.writeUInt32BE(number, 0);
    packet.writeUInt32BE(at, 4);
    waiting.set(at, performance.now());
    socket.send(packet, port, '127.0.0.1');
  };
  const fill = () => {
    while (waiting.size < window && next < total) send(next++);
  };
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      for (const [at, ms] of waiting) {
        if (performance.now() - ms < resendMs) continue;
        again++;
        send(at);
      }
    }, resendMs);
    socket.on('message', (packet) => {
      waiting.delete(packet.readUInt32BE(4));
      fill();
      if (waiting.size > 0) return;
      clearInterval(timer);
      socket.close();
      resolve({ again, seconds: (performance.now() - start) / 1000 });
    });
    fill();
  });
}

/** A server as a process: its first line says where it listens. */
async function started(words, portOf) {
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = await once(createInterface(child.stdout), 'line');
  const peak = { megabytes: 0, cpu: 0 };
  const sampler = setInterval(() => {
    peak.megabytes = Math.max(peak.megabytes, highWaterKb(child.pid) / 1024);
    peak.cpu = Math.max(peak.cpu, cpuSeconds(child.pid));
  }, sampleMs);
  const over = ended.finally(() => clearInterval(sampler));
  return { child, port: portOf(line), peak, over };
}

const serve = (directory) =>
  started([program, 'serve', '--listen', '127.0.0.1:0', '--dir', directory, '--json'], (line) =>
    Number(JSON.parse(line).data.address.split(':')[1]),
  );

/** What all machines saw, as one row. */
function summary(title, seen, seconds, { peak }) {
  const again = seen.reduce((sum, one) => sum + one.again, 0);
  const slowest = Math.max(...seen.map((one) => one.seconds));
  return { title, seconds, again, slowest, ...peak };
}

async function timed(title, server, dumpOne, stopServer) {
  const start = performance.now();
  const all = Array.from({ length: machines }, (_, number) => dumpOne(number, server.port));
  const seen = await Promise.all(all);
  const seconds = (performance.now() - start) / 1000;
  stopServer(server.child);
  await server.over;
  return summary(title, seen, seconds, server);
}

/** How many files hold all pages; of those that do not, how many there are, with how many pages. */
async function inspect(directory) {
  const found = { whole: 0, files: 0, kept: 0, wrong: 0 };
  for (const name of readdirSync(directory)) {
    const dump = await openDump(fileSource(join(directory, name)), { codecs });
    let there = 0;
    let number;
    for (let pfn = 0; pfn < dump.endPfn; pfn++) {
      const { bytes: page } = dump.readPage(pfn);
      if (page === undefined) continue;
      const view = Buffer.from(page);
      number ??= view.readUInt32BE(0);
      if (view.equals(pageOf(number, pfn))) there++;
      else found.wrong++;
    }
    if (dump.incomplete === undefined && there === pages) found.whole++;
    else {
      found.files++;
      found.kept += there;
    }
    dump.close();
  }
  return found;
}

/** Killed when half of the pages were asked for; then another in its place. */
async function killed(folder) {
  const directory = join(folder, 'killed');
  const first = await serve(directory);
  const isLost = lossOf(lossPermille);
  let left = halfOfPages;
  let stop;
  const half = new Promise((resolve) => {
    stop = () => --left === 0 && resolve();
  });
  const all = Array.from({ length: machines }, (_, number) =>
    dump(number, first.port, isLost, { onPage: stop, stop: half }),
  );
  await half;
  first.child.kill('SIGKILL');
  await first.over;
  await Promise.all(all);
  const before = await inspect(directory);
  const next = await serve(directory);
  const row = await timed('the one after kill -9', next, lossy(isLost), terminate);
  return { row, before, after: await inspect(directory) };
}

const lossy = (isLost) => (number, port) => dump(number, port, isLost);
const terminate = (child) => child.kill('SIGTERM');

export async function benchServe(folder) {
  const rows = [];
  const directoryOf = (name) => {
    const directory = join(folder, name);
    mkdirSync(directory);
    return directory;
  };
  const floor = await started([floorProgram, directoryOf('floor'), String(chunkSize)], Number);
  rows.push(await timed('floor: plain UDP', floor, copy, (child) => child.stdin.end()));
  const found = [];
  for (const permille of [0, lossPermille]) {
    const directory = directoryOf(`loss-${permille}`);
    const isLost = lossOf(permille);
    const title = `serve, ${permille / 10} % lost`;
    rows.push(await timed(title, await serve(directory), lossy(isLost), terminate));
    found.push(await inspect(directory));
    rmSync(directory, { recursive: true });
  }
  const restart = await killed(folder);
  rows.push(restart.row);
  print(rows, found, restart);
}

function print(rows, found, { before, after }) {
  const [floor] = rows;
  const head = ['server', 's', 'MB/s', 'of the floor', 'CPU s', 'MB', 'sent again', 'slowest s'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { title, seconds, cpu, megabytes, again, slowest } of rows) {
    table.push([
      title,
      seconds.toFixed(1),
      (bytes / seconds / 1e6).toFixed(1),
      (floor.seconds / seconds).toFixed(2),
      cpu.toFixed(1),
      megabytes.toFixed(0),
      again,
      slowest.toFixed(1),
    ]);
  }
  const busy = `load ${loadavg()[0].toFixed(1)} on ${cpus().length} CPUs`;
  const size = (bytes / 1e6).toFixed(0);
  console.log(`\nA dump server: ${machines} machines at once, ${size} MB in all; ${busy}`);
  console.log(table.toString());
  const whole = found.map((one) => `${one.whole} of ${machines}`);
  console.log(`whole dumps: ${whole.join(', ')}; after kill -9 ${after.whole} more`);
  console.log(
    `kill -9: ${before.kept} pages, of ${before.files} machines, can be read in what is left`,
  );
  const wrong = [...found, before, after].reduce((sum, one) => sum + one.wrong, 0);
  const isMet =
    found.every((one) => one.whole === machines) &&
    after.whole - before.whole === machines &&
    before.kept >= halfOfPages - machines * maxUnderWay &&
    after.kept === before.kept &&
    wrong === 0 &&
    rows.every(({ megabytes }) => megabytes <= goalMegabytes);
  const goal = `every dump whole, no page wrong, under ${goalMegabytes} MB of memory`;
  console.log(`goal (${goal}) met: ${isMet ? 'yes' : 'NO'}`);
}
