import { expect, test } from 'vitest';
import { copyWords } from '../../../src/agent/store-api.ts';

test.each([
  [{ packs: 7, copied: 7, missingBytes: 0 }, 'hot: full copy at ams1, 100 %'],
  [
    { packs: 180, copied: 168, missingBytes: 2 ** 27 },
    'hot at ams1: 93 %, 12 packs to copy (128 MiB)',
  ],
  // Not "100 %": one is missing.
  [
    { packs: 1000, copied: 999, missingBytes: 2 ** 20 },
    'hot at ams1: 99 %, 1 pack to copy (1.00 MiB)',
  ],
  [{ packs: 0, copied: 0, missingBytes: 0 }, 'hot at ams1: nothing young is there to copy'],
])('how far a full copy is, of %o', (state, words) => {
  expect(copyWords({ site: 'ams1', problem: undefined, ...state })).toBe(words);
});

test('why it waits, and where none can be', () => {
  const state = { site: 'ams1', packs: 2, copied: 1, missingBytes: 1024 };
  expect(copyWords({ ...state, problem: 'no room' })).toBe(
    'hot at ams1: 50 %, 1 pack to copy (1.00 KiB): no room',
  );
  const none = { site: 'ams1', packs: 0, copied: 0, missingBytes: 0 };
  expect(copyWords({ ...none, problem: 'the site is lost' })).toContain('the site is lost');
});
