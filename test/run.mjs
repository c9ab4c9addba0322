// The one test command: types, lint, format, then all tests; ends with a plain line `N passed, N failed, N skipped`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const steps = [
  ['types', 'tsc', ['-p', 'tsconfig.json']],
  ['types of the page', 'tsc', ['-p', 'src/dashboard/tsconfig.json']],
  ['lint', 'biome', ['lint', '--colors=off', '--error-on-warnings', '.']],
  // Its rules: .oxlintrc.json.
  ['types in use', 'oxlint', ['--type-aware', '--quiet', 'src', 'test', 'sim']],
  ['format', 'biome', ['format', '--colors=off', '.']],
  ['protocol', 'buf', ['lint', 'proto']],
];

let failed = 0;
for (const [name, command, args] of process.argv.length > 2 ? [] : steps) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  const isGood = result.status === 0;
  console.log(`${isGood ? 'ok    ' : 'FAILED'} ${name}`);
  if (!isGood) {
    failed++;
    console.log(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`);
  }
}
const run = spawnSync(
  'vitest',
  ['run', '--config', 'test/vitest.config.ts', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, NO_COLOR: '1' },
  },
);
const output = run.stdout ?? '';
const counts = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(output);
console.log(counts === null ? output : output.slice(0, counts.index).trimEnd());
const [passed, failedTests, skipped] = counts === null ? [0, 1, 0] : counts.slice(1).map(Number);
const allFailed = failedTests + failed;
console.log(`\n${passed} passed, ${allFailed} failed, ${skipped} skipped`);
process.exit(allFailed === 0 && run.status === 0 ? 0 : 1);
