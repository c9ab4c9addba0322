import { expect } from 'vitest';

/** Compares large arrays: showing where they differ byte by byte would take minutes. */
export function expectSame(actual: Uint8Array | undefined, wanted: Uint8Array, what = ''): void {
  const first = wanted.findIndex((byte, i) => actual?.[i] !== byte);
  expect({ length: actual?.length, firstDifference: first }, what).toEqual({
    length: wanted.length,
    firstDifference: -1,
  });
}
