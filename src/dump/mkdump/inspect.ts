/** Inspects a container of mkdump. */

import type { Depth, Inspector } from '../inspection.ts';
import { MkdumpHeader } from './layout.ts';
import { lackOf, readHeader, readRanges } from './read.ts';

export function inspectMkdump(inspector: Inspector, _depth: Depth): void {
  inspector.attempt(() => {
    const { source } = inspector;
    const header = readHeader(source);
    inspector.detail('header version', header.version);
    inspector.detail('compression of the pages', 'none');
    inspector.detail('pages', `at ${header.data_offset}, ${header.data_done} bytes were written`);
    const ranges = readRanges(source, header);
    inspector.detail('ranges', ranges.length);
    const lack = lackOf(header);
    if (lack !== undefined) inspector.add('cut', lack, MkdumpHeader.offsetOf('status'));
    if (header.data_offset + header.data_done > source.size) {
      inspector.add('cut', 'the file ends before the memory that was written', source.size);
    }
    if (header.notes_offset + header.notes_size > source.size) {
      const message = 'the ELF notes lie behind the end of the file';
      inspector.add('cut', message, header.notes_offset);
    }
  });
}
