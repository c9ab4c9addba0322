import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';

it('every thread and child process that a module starts is an entry of the bundle', () => {
  const started = globSync('src/**/*.ts')
    .flatMap((file) => [
      ...readFileSync(file, 'utf8').matchAll(
        /new URL\(\s*'\.\/([\w-]+)\.ts',\s*import\.meta\.url\s*\)/g,
      ),
    ])
    .map(([, name]) => name);
  expect(started.length).toBeGreaterThan(3);
  const bundle = readFileSync('src/cli/bundle.mjs', 'utf8');
  const entries = /const entries = \[(.*?)\]/s.exec(bundle)?.[1] ?? '';
  const named = [...entries.matchAll(/'([\w/-]+)'/g)].map(([, path]) => basename(path ?? ''));
  expect(named).toEqual(expect.arrayContaining(started));
});
