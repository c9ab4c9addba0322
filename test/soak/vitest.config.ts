import { defineConfig } from 'vitest/config';

// Apart from `npm test`: minutes, most of them spent waiting.
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    pool: 'forks',
    reporters: ['default', './test/reporters/plain-summary.ts'],
    include: ['test/soak/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
  },
});
