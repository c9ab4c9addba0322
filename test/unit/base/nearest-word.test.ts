import { expect, it } from 'vitest';
import { nearestWord } from '../../../src/base/nearest-word.ts';

const known = ['exclude', 'iexclude', 'paths', 'tags'];

it.each([
  ['exclud', 'exclude'],
  ['Exclude', 'exclude'],
  ['pahts', 'paths'],
  ['tag', 'tags'],
  ['listen', undefined],
  ['', undefined],
])('takes %j for %j', (word, meant) => {
  expect(nearestWord(word, known)).toBe(meant);
});
