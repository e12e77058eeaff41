/** Every format that can be opened, in the order in which it is tried; only that one is loaded. */

import { detect as detectDiskdump } from './diskdump/detect.ts';
import { detect as detectElf } from './elf/detect.ts';
import { detect as detectFlattened } from './flattened/detect.ts';
import type { Format } from './format.ts';
import { detect as detectKdump } from './kdump/detect.ts';
import { detect as detectLime } from './lime/detect.ts';
import { detect as detectLkcd } from './lkcd/detect.ts';
import { detect as detectMkdump } from './mkdump/detect.ts';
import { detect as detectRaw } from './raw/detect.ts';

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
    name: 'diskdump',
    detect: detectDiskdump,
    open: async (...given) => (await import('./diskdump/read.ts')).openDiskdump(...given),
  },
  {
    name: 'lkcd',
    detect: detectLkcd,
    open: async (...given) => (await import('./lkcd/read.ts')).openLkcd(...given),
  },
  {
    name: 'lime',
    detect: detectLime,
    open: async (...given) => (await import('./lime/read.ts')).openLime(...given),
  },
  {
    name: 'mkdump',
    detect: detectMkdump,
    open: async (...given) => (await import('./mkdump/read.ts')).openMkdump(...given),
  },
  // Last: it has no magic.
  {
    name: 'raw',
    detect: detectRaw,
    open: async (...given) => (await import('./raw/read.ts')).openRaw(...given),
  },
];
