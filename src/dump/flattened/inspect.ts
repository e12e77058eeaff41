/** Inspects the records of a flattened file; what they make is inspected by its own format. */

import type { Source } from '../../bytes/source.ts';
import { humanSize, plural } from '../../bytes/text.ts';
import type { Inspector } from '../inspection.ts';
import { innerSource, type Records, scanRecords } from './read.ts';

/** The file inside, where there is one. */
export function inspectFlattened(inspector: Inspector): Source | undefined {
  let inner: Source | undefined;
  inspector.attempt(() => {
    const { source } = inspector;
    const records = scanRecords(source);
    const { problem, innerSize, targetAt } = records;
    const count = plural(targetAt.length, 'record');
    inspector.detail('flattened', `${count}, a file of ${humanSize(innerSize)}`);
    if (problem !== undefined) {
      const isCut = problem.includes('is cut');
      inspector.add(isCut ? 'cut' : 'damage', problem, isCut ? source.size : undefined);
    }
    checkRecords(inspector, records);
    inner = innerSource(source, records);
  });
  return inner;
}

/** Bytes that no record writes are zeros; makedumpfile leaves out the end of the header's block. */
function checkRecords(inspector: Inspector, { map, targetAt, innerSize }: Records): void {
  let gaps = innerSize;
  let shadowed = 0;
  const pieces = new Map<number, number>();
  for (const [piece, owner] of map.owner.entries()) {
    gaps -= map.end[piece]! - map.start[piece]!;
    pieces.set(owner, (pieces.get(owner) ?? 0) + 1);
  }
  for (let record = 0; record < targetAt.length; record++) if (!pieces.has(record)) shadowed++;
  const split = [...pieces.values()].filter((count) => count > 1).length;
  if (gaps > 0) inspector.detail('bytes that no record writes', gaps);
  if (shadowed + split > 0) {
    const message = `${plural(shadowed + split, 'record')} written over by later ones`;
    inspector.add('remark', message);
  }
}
