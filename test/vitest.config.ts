import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** What keeps nothing between two tests but in its own files: many of these share a process, which loads modules once. */
const plain = ['base', 'core', 'services'].map((folder) => `test/unit/${folder}/**/*.test.ts`);

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    pool: 'forks',
    // Vitest leaves one processor alone, which is half of a small machine.
    maxWorkers: availableParallelism(),
    reporters: ['default', './test/reporters/plain-summary.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'plain',
          include: plain,
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/*.test.ts'],
          exclude: plain,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          // Their agents wait for each other half of the time.
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
