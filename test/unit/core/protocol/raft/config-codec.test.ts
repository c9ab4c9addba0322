import { describe, expect, test } from 'vitest';
import { concat } from '../../../../../src/base/bytes.ts';
import { decodeConfig, encodeConfig } from '../../../../../src/core/protocol/raft/config-codec.ts';
import { configOf } from './scripted-group.ts';

const keyA = new Uint8Array(32).fill(0);
const keyB = new Uint8Array(32).fill(1);
const head = (voters: number, learners: number) => Uint8Array.of(voters, learners);

describe('encodeConfig', () => {
  test('counts come first, then the keys of voters and of learners', () => {
    expect(encodeConfig(configOf('A', 'B'))).toEqual(concat([head(1, 1), keyA, keyB]));
  });

  test('the order in which members are named makes no difference', () => {
    expect(encodeConfig(configOf('CAB', 'ED'))).toEqual(encodeConfig(configOf('ABC', 'DE')));
  });

  test.each([configOf('ABC'), configOf('A'), configOf('ABCDEFG', 'HI'), configOf('')])(
    'what is encoded is decoded',
    (config) => {
      expect(decodeConfig(encodeConfig(config))).toEqual(config);
    },
  );
});

describe('decodeConfig', () => {
  test.each([
    ['nothing', new Uint8Array(0)],
    ['a count without its keys', head(1, 0)],
    ['a key cut short', concat([head(1, 0), keyA.subarray(1)])],
    ['bytes after the end', concat([head(1, 0), keyA, keyB])],
    ['keys out of order', concat([head(2, 0), keyB, keyA])],
    ['a key twice', concat([head(2, 0), keyA, keyA])],
    ['a voter that is a learner', concat([head(1, 1), keyA, keyA])],
  ])('%s is refused', (_, bytes) => {
    expect(() => decodeConfig(bytes)).toThrow(expect.objectContaining({ code: 'bad-encoding' }));
  });
});
