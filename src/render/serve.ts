/** What a dump server says of itself and of its clients, a line each. */

import type { Json } from '../analyze/command.ts';
import { humanSize } from '../bytes/text.ts';
import type { Envelope, Origin } from './envelope.ts';

export interface ServeEvent {
  readonly what: 'listening' | 'begins' | 'complete' | 'given up' | 'refused';
  /** `10.0.0.7:6666`; its own address where it listens. */
  readonly address: string;
  readonly protocol: string;
  /** As it is called by now. */
  readonly file: string | undefined;
  readonly bytes: number;
  readonly cause: string | undefined;
}

export function serveLine({ what, address, protocol, file, bytes, cause }: ServeEvent): string {
  switch (what) {
    case 'listening':
      return `listening for ${protocol} at ${address}`;
    case 'begins':
      return `${address}: ${protocol} begins, to ${file}`;
    case 'complete':
      return `${address}: complete, ${humanSize(bytes)} in ${file}`;
    case 'given up': {
      const left = file === undefined ? 'nothing is kept' : `${humanSize(bytes)} in ${file}`;
      return `${address}: given up: ${cause}; ${left}`;
    }
    case 'refused':
      return `${address}: refused: ${cause}`;
  }
}

export function serveEnvelope({ version, schema, input }: Origin, event: ServeEvent): Envelope {
  const { what, file, cause, ...rest } = event;
  const isWhole = what !== 'given up' && what !== 'refused';
  const data: Json = { event: what, ...rest, file: file ?? null, cause: cause ?? null };
  return {
    tsdump: version,
    schema,
    input,
    complete: isWhole,
    missing: isWhole ? [] : [{ what: 'dump', count: null, why: cause ?? what }],
    data,
    errors: [],
  };
}
