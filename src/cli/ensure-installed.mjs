// Runs on any Node from 18 on, before anything is installed: brings node_modules in line with the lock file.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

const stamp = 'node_modules/.package-lock.json';
const isCurrent =
  existsSync(stamp) && statSync(stamp).mtimeMs >= statSync('package-lock.json').mtimeMs;
if (!isCurrent) {
  console.error('holdfast: installing dependencies (once) ...');
  // Not `npm ci`: it refuses a lock file whose packages name optional builds for platforms that a registry lacks.
  // Versions and checksums are the lock file's all the same, and it is left as it is.
  const flags = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync('npm', ['install', ...flags], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
await import('./bundle.mjs');
