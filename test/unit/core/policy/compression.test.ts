import { expect, test } from 'vitest';
import { compressionLevel, compressionModes } from '../../../../src/core/policy/compression.ts';

test('a mode goes before the configured level, and each compresses harder than the one before', () => {
  const levels = compressionModes.map((mode) => compressionLevel(mode, 7));
  expect(levels).toEqual(levels.toSorted((a, b) => a - b));
  expect(levels[0]).toBe(0);
  expect(compressionLevel(undefined, 7)).toBe(7);
});
