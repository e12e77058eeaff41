/** Every format that can be opened, in the order in which it is tried. */

import { detect as detectElf } from './elf/detect.ts';
import { openElf } from './elf/read.ts';
import { detect as detectFlattened } from './flattened/detect.ts';
import { openFlattened } from './flattened/read.ts';
import type { Format } from './format.ts';
import { detect as detectKdump } from './kdump/detect.ts';
import { openKdump } from './kdump/read.ts';
import { detect as detectLkcd } from './lkcd/detect.ts';
import { openLkcd } from './lkcd/read.ts';

export const formats: readonly Format[] = [
  { name: 'flattened', detect: detectFlattened, open: openFlattened },
  { name: 'elf', detect: detectElf, open: openElf },
  { name: 'kdump', detect: detectKdump, open: openKdump },
  { name: 'lkcd', detect: detectLkcd, open: openLkcd },
];
