import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { scratchDirectory } from '../../support/scratch-directory.ts';

type Bundle = {
  readonly exports: { readonly path: string; word(): string };
  keep(): void;
};

const module = new URL('../../../src/cli/kept-code.mjs', import.meta.url).href;
const { runBundle } = (await import(module)) as {
  runBundle(folder: string, file: string): Bundle;
};

let folder: string;
let file: string;

beforeEach(() => {
  const scratch = scratchDirectory();
  folder = join(scratch.path, 'bundle');
  file = join(folder, 'code', 'restore');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'main.js'),
    `exports.path = require('node:path').sep;
    exports.word = () => require('./part.js').word();`,
  );
  writeFileSync(join(folder, 'part.js'), `exports.word = () => 'wörd – ' + __filename;`);
  return () => scratch[Symbol.asyncDispose]();
});

it('runs its scripts, and others as Node would', () => {
  const { exports } = runBundle(folder, file);
  expect(exports.path).toBe('/');
  expect(exports.word()).toBe(`wörd – ${join(folder, 'part.js')}`);
});

it('keeps code again only when a script was loaded that it lacked', () => {
  runBundle(folder, file).keep();
  const first = readFileSync(file);
  runBundle(folder, file).keep();
  expect(readFileSync(file)).toEqual(first);
  const second = runBundle(folder, file);
  second.exports.word();
  second.keep();
  expect(readFileSync(file).length).toBeGreaterThan(first.length);
  expect(runBundle(folder, file).exports.word()).toContain('wörd');
});

it('does not use a damaged file, and makes it anew', () => {
  runBundle(folder, file).keep();
  const whole = readFileSync(file);
  for (const damaged of [whole.subarray(0, 40), Buffer.alloc(whole.length), new Uint8Array(0)]) {
    writeFileSync(file, damaged);
    const { exports, keep } = runBundle(folder, file);
    expect(exports.path).toBe('/');
    keep();
    expect(readFileSync(file).length).toBe(whole.length);
  }
});

it('goes on where it cannot keep anything', () => {
  writeFileSync(join(folder, 'code'), 'no folder');
  const { exports, keep } = runBundle(folder, file);
  keep();
  expect(exports.path).toBe('/');
  expect(existsSync(file)).toBe(false);
});

it('keeps no more files than a program has commands', () => {
  mkdirSync(join(folder, 'code'));
  for (let i = 0; i < 64; i++) writeFileSync(join(folder, 'code', `mistyped${i}`), '');
  runBundle(folder, file).keep();
  expect(existsSync(file)).toBe(false);
});
