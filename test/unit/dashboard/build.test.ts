import { readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

type Build = { buildDashboard: () => Promise<string> };

const folder = new URL('../../../src/dashboard/', import.meta.url);

it('serves what its sources make, in less than 200 kB compressed', async () => {
  const { buildDashboard } = (await import(new URL('build.mjs', folder).href)) as Build;
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
  const script = read('gen/app.js');
  expect(script === (await buildDashboard()), 'gen/app.js is old: npm run dashboard').toBe(true);
  let size = 0;
  for (const text of [
    script,
    ...['index.html', 'style.css', 'icon.svg'].map((name) => read(`page/${name}`)),
  ]) {
    size += gzipSync(text).length;
    expect(brotliCompressSync(text).length).toBeLessThan(gzipSync(text).length);
  }
  expect(size).toBeLessThan(200_000);
});

it('asks nobody else for anything', () => {
  for (const name of ['index.html', 'style.css']) {
    const text = readFileSync(new URL(`page/${name}`, folder), 'utf8');
    expect(text).not.toMatch(/https?:|url\(|@import|\son\w+=|<style|<script>/);
  }
});
