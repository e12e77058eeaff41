/** The thread that has the socket of a `udpTransport`. */

import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { type MessagePort, workerData } from 'node:worker_threads';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { TransportStart } from './udp-transport.ts';

const { address, port, disturbance, arrived, ...given } = workerData as TransportStart & {
  readonly port: number;
  readonly channel: MessagePort;
};
const { channel } = given;
const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
const generator = xoroshiro128plus(disturbance?.seed ?? 0);
/** How long a packet is held back that others are to pass. */
const heldMs = 5;

channel.on('message', (packet: Uint8Array) => {
  // What cannot be sent is lost like any other packet.
  pass(() => socket.send(packet, port, address, () => {}));
});
socket.on('message', (packet) => {
  pass(() => {
    channel.postMessage(packet);
    Atomics.add(arrived, 0, 1);
    Atomics.notify(arrived, 0);
  });
});
socket.on('error', () => {});

/** What becomes of one packet. */
function pass(deliver: () => void): void {
  if (disturbance === undefined) {
    deliver();
    return;
  }
  const happens = (permille: number): boolean => uniformInt(generator, 0, 999) < permille;
  const isLost = happens(disturbance.lossPermille);
  const isTwice = happens(disturbance.duplicatePermille);
  const isHeld = happens(disturbance.reorderPermille);
  if (isLost) return;
  const ms = disturbance.delayMs + (isHeld ? heldMs : 0);
  for (let times = isTwice ? 2 : 1; times > 0; times--) {
    if (ms === 0) deliver();
    else setTimeout(deliver, ms);
  }
}
