import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    // Two cores in CI, and every process of a CLI test is another one.
    maxWorkers: 2,
  },
});
