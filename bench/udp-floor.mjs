/**
 * The floor of a dump server: the same packets by the same sockets into the same files, each
 * acknowledged by itself, with no protocol. The first two words of a packet are its file and its
 * offset there, in units of the payload; that is also what acknowledges it.
 */

import { createSocket } from 'node:dgram';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What stands before the payload: as long as netdump's. */
const headSize = 13;

/** Listens, and says where; to the end of its input. */
function serve(directory, payload) {
  const files = new Map();
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  const open = (number) => {
    const fd = files.get(number) ?? openSync(join(directory, `floor-${number}`), 'w');
    files.set(number, fd);
    return fd;
  };
  socket.on('message', (packet, { address, port }) => {
    const at = packet.readUInt32BE(4);
    writeSync(
      open(packet.readUInt32BE(0)),
      packet,
      headSize,
      packet.length - headSize,
      at * payload,
    );
    socket.send(packet.subarray(0, headSize), port, address);
  });
  socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));
  process.stdin.on('end', () => {
    for (const fd of files.values()) {
      fsyncSync(fd);
      closeSync(fd);
    }
    socket.close();
  });
  process.stdin.resume();
}

const [, , directory, payload] = process.argv;
serve(directory, Number(payload));
