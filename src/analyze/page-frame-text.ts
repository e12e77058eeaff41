/** A struct page in crash's columns, for `vtop` and `files -p`. */

import { hex16, jsonAddress } from '../bytes/text.ts';
import type { PageFrame } from '../linux/page-frame.ts';
import { hex } from './columns.ts';
import type { Json } from './command.ts';

export const frameTitle = '      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS';

export function frameLine(frame: PageFrame, physical: bigint): string {
  const columns = [
    hex16(frame.page),
    hex(physical & ~0xfffn).padStart(8),
    hex(frame.mapping).padStart(16),
    hex(frame.index).padStart(8),
    String(frame.count).padStart(2),
    hex(frame.flags),
  ];
  const names = frame.names.length === 0 ? '' : ` ${frame.names.join(',')}`;
  return `${columns.join(' ')}${names}`;
}

export function frameJson({ page, mapping, index, count, flags, names }: PageFrame): {
  readonly [key: string]: Json;
} {
  return {
    page: jsonAddress(page),
    mapping: jsonAddress(mapping),
    index: String(index),
    count,
    flags: jsonAddress(flags),
    names: [...names],
  };
}
