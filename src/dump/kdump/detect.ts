/** Knows a KDUMP file by its signature, and classic diskdump, which is refused by name later. */

import type { Source } from '../../bytes/source.ts';
import { latin1 } from '../../bytes/text.ts';
import { diskdumpSignature } from '../disk-dump.ts';
import { signature } from './layout.ts';

export function detect(source: Source): boolean {
  const magic = latin1(source.read(0, signature.length));
  return magic === signature || magic === diskdumpSignature;
}
