/** A dump server on real UDP sockets. */

import { createSocket, type Socket } from 'node:dgram';
import { BlockList, isIP } from 'node:net';
import { DumpError } from '../bytes/errors.ts';
import type { DumpServer, Outgoing } from '../capture/_net/dump-server.ts';
import type { NetProtocol } from '../capture/_net/protocol.ts';

export interface Listening {
  readonly protocol: NetProtocol;
  readonly address: string;
  readonly port: number;
}

export interface UdpServer {
  readonly listening: readonly Listening[];
  /** When `isOver` said so. */
  readonly over: Promise<void>;
  /** Closes the sockets; the dumps that are under way are given up. */
  close(): void;
}

/** Who may dump here. */
export class AllowList {
  readonly #list = new BlockList();

  /** `10.0.0.0/8`, `fe80::/10`, or one address. Throws `usage`. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) this.#add(range);
  }

  has(address: string): boolean {
    const plain = plainAddress(address);
    return this.#list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
  }

  #add(range: string): void {
    const [address = '', bits] = range.split('/');
    const version = isIP(address);
    const longest = version === 6 ? 128 : 32;
    const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (version === 0 || prefix < 0 || prefix > longest) {
      throw new DumpError('usage', `--allow ${range}: not an address or a range of them`, {
        hint: 'as 192.168.1.0/24, fe80::/10 or 10.0.0.7',
      });
    }
    this.#list.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4');
  }
}

/** How often it looks for what did not come. */
const timerMs = 50;
/** What the kernel keeps for a server that is at something else: 64 clients' windows. */
const receiveBuffer = 4 * 1024 * 1024;

/** Listens at each of the places; port 0 is any. `isOver` is asked now and then. Throws `io`. */
export async function serveUdp(
  server: DumpServer,
  places: readonly Listening[],
  allowed: AllowList,
  isOver: () => boolean,
): Promise<UdpServer> {
  const sockets = new Map<NetProtocol, Socket>();
  const send = (outgoing: readonly Outgoing[]): void => {
    for (const { to, packet } of outgoing) {
      // What cannot be sent is lost like any other packet, and asked for again.
      sockets.get(to.protocol)?.send(packet, to.port, to.address, () => {});
    }
  };
  const listening: Listening[] = [];
  const close = (): void => {
    for (const socket of sockets.values()) socket.close();
    sockets.clear();
  };
  try {
    for (const { protocol, address, port } of places) {
      const socket = await bound(address, port);
      sockets.set(protocol, socket);
      listening.push({ protocol, address, port: socket.address().port });
      socket.on('message', (packet, from) => {
        if (!allowed.has(from.address)) return;
        send(server.onPacket({ ...from, protocol }, packet, nowNs()));
      });
    }
  } catch (error) {
    close();
    throw error;
  }
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setInterval(() => {
      send(server.onTimer(nowNs()));
      if (isOver()) resolve();
    }, timerMs);
  });
  return {
    listening,
    over,
    close() {
      clearInterval(timer);
      close();
      server.stop(nowNs());
    },
  };
}

function nowNs(): number {
  return Math.round(performance.now() * 1e6);
}

/** An IPv4 address as a socket of both families has it. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '').replace(/%.*$/, '');
}

function bound(address: string, port: number): Promise<Socket> {
  const type = isIP(address) === 6 ? 'udp6' : 'udp4';
  const socket = createSocket({ type, recvBufferSize: receiveBuffer });
  return new Promise((resolve, reject) => {
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      socket.close();
      const where = `${address} port ${port}`;
      reject(new DumpError('io', `cannot listen at ${where}: ${cause.code}`, { cause }));
    });
    socket.bind(port, address, () => {
      socket.removeAllListeners('error');
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}
