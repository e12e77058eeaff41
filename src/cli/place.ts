/** Addresses and ports as words: `10.0.0.7`, `10.0.0.7:6666`, `[fe80::1]:6666`. */

import { isIP } from 'node:net';
import { DumpError } from '../bytes/errors.ts';

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** `usualPort` where the words name none. Throws `usage`. */
export function placeOf(option: string, words: string, usualPort: number): Place {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(words) ?? [];
  const address = bracketed ?? plain ?? '';
  const number = port === undefined ? usualPort : Number(port);
  if (isIP(address) !== 0 && number <= 65535) return { address, port: number };
  throw new DumpError('usage', `${option} ${words}: not an address and a port`, {
    hint: 'as 0.0.0.0, 192.168.1.2:6666 or [::1]:6666',
  });
}

export function placeText({ address, port }: Place): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
