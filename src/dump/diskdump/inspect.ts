/** Inspects a diskdump file or partition. */

import { inspectDescribed } from '../described-inspect.ts';
import { DiskDumpHeaders, geometryOf } from '../disk-dump.ts';
import type { Depth, Inspector } from '../inspection.ts';
import { formOf, partitionBlockSize } from './detect.ts';
import { type Headers, readHeaders, statusProblem } from './header.ts';
import { partitionHeaderBlock, StreamFlags } from './layout.ts';
import { partitionOf } from './partition-read.ts';

export function inspectDiskdump(inspector: Inspector, depth: Depth): void {
  inspector.attempt(() => {
    const { source } = inspector;
    const form = formOf(source) ?? 'file';
    const offset = form === 'file' ? 0 : partitionHeaderBlock * partitionBlockSize;
    const headers = readHeaders(source, offset);
    const { architecture, main } = headers;
    inspector.detail('form', form);
    inspector.detail('header version', main.header_version);
    inspector.detail('header status', main.status);
    inspector.detail('blocks written', `${main.written_blocks} of ${main.device_blocks}`);
    const problem = statusProblem(headers);
    if (problem !== undefined) {
      const at = offset + DiskDumpHeaders[architecture].offsetOf('status');
      inspector.add('cut', problem, at);
    }
    if (form === 'partition') {
      inspectPartition(inspector, headers, depth);
      return;
    }
    const endPfn = main.max_mapnr;
    const of = { name: 'diskdump', architecture, endPfn, packingFlags: StreamFlags.zlib };
    inspectDescribed(inspector, geometryOf(source, main, of), depth);
  });
}

/** On a partition pages stand one after another, without descriptors. */
function inspectPartition(inspector: Inspector, headers: Headers, depth: Depth): void {
  const { source } = inspector;
  const { main, architecture, offset } = headers;
  const { layout, dumpedPages, written, stream } = partitionOf(source, headers);
  const { ram, dataAt } = layout;
  inspector.detail('pages of RAM', ram.count);
  inspector.detail('pages to be dumped', dumpedPages);
  inspector.detail('compression of the pages', stream === undefined ? 'none' : 'zlib');
  if (main.total_ram_blocks !== ram.count) {
    const told = main.total_ram_blocks;
    const message = `the header counts ${told} pages of RAM, the bitmap ${ram.count}`;
    const at = offset + DiskDumpHeaders[architecture].offsetOf('total_ram_blocks');
    inspector.add('damage', message, at);
  }
  if (written > source.size) {
    inspector.add(
      'cut',
      `the file ends before the memory that was written, at ${written}`,
      source.size,
    );
  }
  if (depth === 'headers') return;
  if (stream !== undefined) {
    if (dumpedPages === 0 || stream.offsetOf(dumpedPages - 1) !== undefined) return;
    const { problem } = stream;
    if (problem !== undefined) inspector.add(problem.kind, problem.message, problem.offset);
    return;
  }
  const fits = Math.floor((written - dataAt) / main.block_size);
  if (fits < dumpedPages) {
    inspector.add('cut', `${fits} of ${dumpedPages} pages were written`, written);
  }
}
