/**
 * UDP for somebody who waits synchronously: a thread of its own has the socket, so that packets
 * arrive while nobody's event loop turns. What the network does to packets can be made worse, by a
 * seed.
 */

import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Transport } from '../capture/method.ts';

/** What is done to packets on this side, in both directions. Plain data. */
export interface Disturbance {
  /** Of a thousand packets. */
  readonly lossPermille: number;
  readonly duplicatePermille: number;
  /** Held back while others pass. */
  readonly reorderPermille: number;
  readonly delayMs: number;
  readonly seed: number;
}

export interface TransportStart {
  readonly address: string;
  readonly port: number;
  readonly disturbance: Disturbance | undefined;
  /** One word: how many packets have come, and been told of. */
  readonly arrived: Int32Array;
}

export interface UdpTransport extends Transport {
  close(): Promise<void>;
}

/** To one server. What cannot be sent is lost. */
export function udpTransport(
  server: { readonly address: string; readonly port: number },
  disturbance?: Disturbance,
): UdpTransport {
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const { port1: port, port2 } = new MessageChannel();
  const start: TransportStart = { ...server, disturbance, arrived };
  const worker = new Worker(new URL('./udp-worker.js', import.meta.url), {
    workerData: { ...start, channel: port2 },
    transferList: [port2],
  });
  const next = (): Uint8Array | undefined => {
    const found: { readonly message: Uint8Array } | undefined = receiveMessageOnPort(port);
    return found?.message;
  };
  return {
    send: (packet) => port.postMessage(packet),
    receive(limitMs) {
      const begin = performance.now();
      for (;;) {
        const seen = Atomics.load(arrived, 0);
        const packet = next();
        const waitedMs = performance.now() - begin;
        if (packet !== undefined || waitedMs >= limitMs) return { packet, waitedMs };
        Atomics.wait(arrived, 0, seen, limitMs - waitedMs);
      }
    },
    async close() {
      port.close();
      await worker.terminate();
    },
  };
}
