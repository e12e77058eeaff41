/** `npm run check:foreign`: apart from `npm test`, because one session of crash takes a minute. */

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/foreign/*.foreign.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    // Two sessions of crash at a time, 400 MB each.
    maxConcurrency: 2,
  },
});
