import { defineConfig } from 'vitest/config';

// Apart from `npm test`: minutes, most of them spent waiting.
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    pool: 'forks',
    reporters: ['default', './test/reporters/plain-summary.ts'],
    include: ['test/soak/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
