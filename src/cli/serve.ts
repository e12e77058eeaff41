/** `tsdump serve`: a dump server on real sockets, until it is ended. */

import { join } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import { DumpServer, type ServerEvent } from '../capture/_net/dump-server.ts';
import type { NetProtocol } from '../capture/_net/protocol.ts';
import { descriptions } from '../capture/catalogue.ts';
import { dumpFiles } from '../host/dump-files.ts';
import { beforeEndBySignal } from '../host/signals.ts';
import { AllowList, type Listening, serveUdp } from '../host/udp-server.ts';
import { type ServeEvent, serveEnvelope, serveLine } from '../render/serve.ts';
import { oneOf } from './capture-options.ts';
import { exitStatus } from './exit-status.ts';
import type { ServeFlags, Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { placeOf, placeText } from './place.ts';
import { packageVersion } from './version.ts';

const ports: Readonly<Record<NetProtocol, number>> = {
  netdump: descriptions.netdump.port,
  lkcd: descriptions['lkcd-net'].port,
};
const ownAddresses = ['127.0.0.0/8', '::1'];
const defaultClients = 256;
const defaultBytes = 2 ** 40;

/** The result is the exit status. Throws DumpErrors. */
export async function serveDumps(flags: ServeFlags, settings: Settings, io: Io): Promise<number> {
  const { dir: directory = '.' } = flags;
  const places = placesOf(flags);
  const allowed = new AllowList(flags.allow ?? ownAddresses);
  const limits = {
    clients: wholeNumber('--clients', flags.clients) ?? defaultClients,
    bytes: sizeOf(flags.maxBytes) ?? defaultBytes,
  };
  const count = wholeNumber('--count', flags.count);
  const say = (event: ServeEvent): void => {
    if (settings.json) {
      const origin = { version: packageVersion(), schema: 'serve/1', input: null };
      io.out(`${JSON.stringify(serveEnvelope(origin, event))}\n`);
    } else if (!settings.quiet || event.what === 'complete') io.out(`${serveLine(event)}\n`);
  };
  let complete = 0;
  const server = new DumpServer(dumpFiles(directory), limits, (event) => {
    if (event.what === 'complete') complete++;
    say(told(event, directory));
  });
  const isOver = (): boolean => count !== undefined && complete >= count && server.active === 0;
  const udp = await serveUdp(server, places, allowed, isOver);
  const release = beforeEndBySignal(() => udp.close());
  for (const { protocol, address, port } of udp.listening) {
    const what = 'listening' as const;
    const nothing = { file: undefined, bytes: 0, cause: undefined };
    say({ what, address: placeText({ address, port }), protocol, ...nothing });
  }
  await udp.over;
  udp.close();
  release();
  return exitStatus.done;
}

function told({ file, peer, ...event }: ServerEvent, directory: string): ServeEvent {
  const suffix = event.what === 'complete' ? '' : '-incomplete';
  const path = file === undefined ? undefined : join(directory, `${file}${suffix}`);
  return { ...event, address: placeText(peer), protocol: peer.protocol, file: path };
}

function placesOf({ listen = '127.0.0.1', protocol }: ServeFlags): Listening[] {
  // Port 0 is a port; what is left out is not.
  const hasPort = placeOf('--listen', listen, 1).port === placeOf('--listen', listen, 2).port;
  const known = ['netdump', 'lkcd', 'both'] as const;
  const name = oneOf('--protocol', protocol ?? (hasPort ? 'netdump' : 'both'), known);
  if (name === 'both' && hasPort) {
    throw new DumpError('usage', '--protocol both has a port for each: leave it out of --listen');
  }
  const protocols: readonly NetProtocol[] = name === 'both' ? ['netdump', 'lkcd'] : [name];
  return protocols.map((one) => ({ protocol: one, ...placeOf('--listen', listen, ports[one]) }));
}

function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new DumpError('usage', `${option} ${text}: not a number from 1 on`);
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit] = /^([1-9]\d{0,8})([KMGT]?)$/i.exec(text) ?? [];
  if (digits !== undefined) return Number(digits) * units[unit!.toUpperCase()]!;
  throw new DumpError('usage', `--max-bytes ${text}: not a size`, { hint: 'as 64G or 512M' });
}
