/** Inspects a diskdump file or partition. */

import { inspectDescribed } from '../described-inspect.ts';
import { DiskDumpHeaders, geometryOf } from '../disk-dump.ts';
import type { Depth, Inspector } from '../inspection.ts';
import { formOf, partitionBlockSize } from './detect.ts';
import { readHeaders, statusProblem } from './header.ts';
import { partitionHeaderBlock, StreamFlags } from './layout.ts';

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
    if (form === 'partition') return;
    const endPfn = main.max_mapnr;
    const of = { name: 'diskdump', architecture, endPfn, packingFlags: StreamFlags.zlib };
    inspectDescribed(inspector, geometryOf(source, main, of), depth);
  });
}
