/** Every format that can be opened, in the order in which it is tried; only that one is loaded. */

import { detect as detectElf } from './elf/detect.ts';
import { detect as detectFlattened } from './flattened/detect.ts';
import type { Format } from './format.ts';
import { detect as detectKdump } from './kdump/detect.ts';
import { detect as detectLkcd } from './lkcd/detect.ts';

export const formats: readonly Format[] = [
  {
    name: 'flattened',
    detect: detectFlattened,
    open: async (...given) => (await import('./flattened/read.ts')).openFlattened(...given),
  },
  {
    name: 'elf',
    detect: detectElf,
    open: async (...given) => (await import('./elf/read.ts')).openElf(...given),
  },
  {
    name: 'kdump',
    detect: detectKdump,
    open: async (...given) => (await import('./kdump/read.ts')).openKdump(...given),
  },
  {
    name: 'lkcd',
    detect: detectLkcd,
    open: async (...given) => (await import('./lkcd/read.ts')).openLkcd(...given),
  },
];
