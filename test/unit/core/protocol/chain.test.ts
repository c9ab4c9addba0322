import { describe, expect, test } from 'vitest';
import { judge } from '../../../../src/core/protocol/chain.ts';

const zero = new Uint8Array(32);
const first = new Uint8Array(32).fill(1);
const second = new Uint8Array(32).fill(2);
const other = new Uint8Array(32).fill(9);

describe('judge', () => {
  test('the first entry starts a sequence', () => {
    expect(judge(undefined, { sequence: 1, previous: zero }, first)).toBe('next');
  });

  test('an entry that names the head follows it', () => {
    const head = { sequence: 1, hash: first };
    expect(judge(head, { sequence: 2, previous: first }, second)).toBe('next');
  });

  test('an entry that names another head is a fork', () => {
    const head = { sequence: 1, hash: first };
    expect(judge(head, { sequence: 2, previous: other }, second)).toBe('fork');
  });

  test('the head itself is known', () => {
    const head = { sequence: 2, hash: second };
    expect(judge(head, { sequence: 2, previous: first }, second)).toBe('known');
  });

  test('another entry in the place of the head is a fork', () => {
    const head = { sequence: 2, hash: second };
    expect(judge(head, { sequence: 2, previous: first }, other)).toBe('fork');
  });

  test('an older entry is left to the caller to compare', () => {
    const head = { sequence: 2, hash: second };
    expect(judge(head, { sequence: 1, previous: zero }, other)).toBe('known');
  });

  test('an entry beyond the next leaves a gap', () => {
    expect(judge(undefined, { sequence: 2, previous: first }, second)).toBe('gap');
    const head = { sequence: 1, hash: first };
    expect(judge(head, { sequence: 3, previous: second }, other)).toBe('gap');
  });
});
