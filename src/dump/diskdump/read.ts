/** Reads diskdump: files by page descriptors, partitions as the kernel left them. */

import type { Source } from '../../bytes/source.ts';
import { DescribedPages } from '../described-pages.ts';
import { geometryOf } from '../disk-dump.ts';
import type { OpenContext, OpenedFile } from '../format.ts';
import { formOf, partitionBlockSize } from './detect.ts';
import { factsOf, readHeaders, statusProblem } from './header.ts';
import { partitionHeaderBlock, StreamFlags } from './layout.ts';
import { checkPartition, PartitionPages } from './partition-read.ts';

export async function openDiskdump(source: Source, context: OpenContext): Promise<OpenedFile> {
  if (formOf(source) === 'file') return openFile(source, context);
  checkPartition(source);
  const headers = readHeaders(source, partitionHeaderBlock * partitionBlockSize);
  return {
    facts: factsOf(source, 'partition', headers),
    pages: new PartitionPages(source, headers, context.codecs),
  };
}

function openFile(source: Source, { codecs }: OpenContext): OpenedFile {
  const headers = readHeaders(source, 0);
  const { main } = headers;
  const geometry = geometryOf(source, main, {
    name: 'diskdump',
    architecture: headers.architecture,
    endPfn: main.max_mapnr,
    packingFlags: StreamFlags.zlib,
  });
  return {
    facts: factsOf(source, 'file', headers),
    pages: new DescribedPages(source, geometry, codecs, [statusProblem(headers)]),
  };
}
