import { expect, test } from 'vitest';
import { decodeRoot, encodeRoot, unstableMax } from '../../../../src/core/format/root.ts';
import { limits } from '../../../../src/core/limits.ts';
import { filled, outcomeOf, root } from './samples.ts';

test('a root comes back as it was, with paths that are not UTF-8 and texts of any kind', () => {
  expect(decodeRoot(encodeRoot(root))).toEqual(root);
  const odd = { ...root, host: 'a\u001bb', unstable: [{ path: filled(1), reason: 'x\ny' }] };
  expect(decodeRoot(encodeRoot(odd))).toEqual(odd);
});

test('a root names at most a thousand unstable files', () => {
  const unstable = Array.from({ length: unstableMax + 5 }, () => ({ path: filled(1), reason: '' }));
  expect(decodeRoot(encodeRoot({ ...root, unstable })).unstable).toHaveLength(1000);
});

test('a root that nobody could read is not made', () => {
  expect(outcomeOf(() => encodeRoot({ ...root, idKey: filled(1, 31) }))).toBe('bad-encoding');
  expect(outcomeOf(() => encodeRoot({ ...root, tree: [filled(1, 31)] }))).toBe('bad-encoding');
});

test('a root larger than a frame is not made', () => {
  const paths = [new Uint8Array(limits.frameSizeMax)];
  expect(outcomeOf(() => encodeRoot({ ...root, paths }))).toBe('limit-exceeded');
});
