import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    pool: 'forks',
    reporters: ['default', './test/reporters/plain-summary.ts'],
    // Later states follow from earlier ones.
    bail: 1,
    include: ['test/browser/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
