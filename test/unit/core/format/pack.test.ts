import { describe, expect, test } from 'vitest';
import { toHex } from '../../../../src/base/bytes.ts';
import {
  assemblePack,
  decodeFooter,
  decodePackHeader,
  encodeFooter,
  encodePackHeader,
  findFooter,
  packHeaderSizeMax,
} from '../../../../src/core/format/pack.ts';
import { type DatasetId, idOf } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { filled, outcomeOf } from './samples.ts';

const header = {
  type: 'data',
  dataset: idOf<DatasetId>(filled(0xaa, 16)),
  salt: filled(0xbb, 16),
  sealedKey: filled(0xcc, 300),
} as const;
const encoded = encodePackHeader(header);

describe('the header of a pack', () => {
  test('has the layout of "Pack" in proto/README.md', () => {
    const fixed = `4846504b01010000${'aa'.repeat(16)}${'bb'.repeat(16)}012c`;
    expect(toHex(encoded)).toBe(fixed + 'cc'.repeat(300));
  });

  test('comes back, with the place where the frames start', () => {
    const metadata = { ...header, type: 'metadata' } as const;
    const bytes = assemblePack(encodePackHeader(metadata), [filled(1, 50)], filled(2, 20));
    expect(decodePackHeader(bytes)).toEqual({ ...metadata, size: encoded.length });
  });

  test('fits the bytes that a reader fetches for it', () => {
    const largest = encodePackHeader({ ...header, sealedKey: filled(1, 8192) });
    expect(largest.length).toBe(packHeaderSizeMax);
  });

  test.each([
    ['another start', 0, 0],
    ['another version', 4, 2],
    ['an unknown type', 5, 0],
    ['a spare byte set', 7, 1],
    ['a sealed key that is too large', 40, 0xff],
  ])('with %s is refused', (_what, at, value) => {
    const bytes = encoded.map((byte, i) => (i === at ? value : byte));
    expect(outcomeOf(() => decodePackHeader(bytes))).toBe('bad-encoding');
  });

  test('without its sealed key is refused', () => {
    expect(outcomeOf(() => decodePackHeader(encoded.subarray(0, 100)))).toBe('bad-encoding');
  });
});

describe('a pack', () => {
  const pack = assemblePack(encoded, [filled(1, 50), filled(2, 60)], filled(3, 20));

  test('tells where its footer lies, from its last bytes', () => {
    const { offset, size } = findFooter(pack.subarray(-8), pack.length);
    expect(pack.subarray(offset, offset + size)).toEqual(filled(3, 20));
    expect(offset).toBe(encoded.length + 110);
  });

  test.each([
    ['without its end', pack.subarray(0, -1)],
    ['with less than its end', pack.subarray(-7)],
    ['whose footer is larger than itself', pack.subarray(-8).map((byte, i) => (i ? byte : 1))],
  ])('%s is refused', (_what, tail) => {
    expect(outcomeOf(() => findFooter(tail, pack.length))).toBe('bad-encoding');
  });

  test('over the limit is not made', () => {
    const frame = new Uint8Array(limits.packSizeMax);
    expect(outcomeOf(() => assemblePack(encoded, [frame], filled(3, 20)))).toBe('limit-exceeded');
  });
});

describe('the footer of a pack', () => {
  const frames = [
    {
      sealedSize: 50,
      chunks: [
        { id: filled(1), length: 7 },
        { id: filled(2), length: 1048569 },
      ],
    },
    { sealedSize: 60, chunks: [] },
  ];

  test('comes back as it was', () => {
    expect(decodeFooter(encodeFooter(frames))).toEqual(frames);
    expect(decodeFooter(encodeFooter([]))).toEqual([]);
  });

  test('has the layout of "Pack" in proto/README.md', () => {
    const first = [{ sealedSize: 50, chunks: [{ id: filled(1), length: 7 }] }];
    const expected = `000000010000003200000001${'01'.repeat(32)}00000007`;
    expect(toHex(encodeFooter(first))).toBe(expected);
  });

  const chunk = { id: filled(1), length: 1 };
  const bad: [string, Parameters<typeof encodeFooter>[0]][] = [
    [
      'more frames than allowed',
      Array(limits.packFramesMax + 1).fill({ sealedSize: 1, chunks: [] }),
    ],
    [
      'more chunks of a frame than allowed',
      [{ sealedSize: 9, chunks: Array(limits.frameChunksMax + 1).fill(chunk) }],
    ],
    [
      'more chunks than allowed',
      Array(17).fill({ sealedSize: 9, chunks: Array(limits.frameChunksMax).fill(chunk) }),
    ],
    ['an empty frame', [{ sealedSize: 0, chunks: [] }]],
    ['an empty chunk', [{ sealedSize: 9, chunks: [{ ...chunk, length: 0 }] }]],
    [
      'a frame that opens too large',
      [{ sealedSize: 9, chunks: [chunk, { ...chunk, length: limits.frameSizeMax }] }],
    ],
  ];

  test.each(bad)('with %s is refused', (_what, footer) => {
    expect(outcomeOf(() => decodeFooter(encodeFooter(footer)))).toBe('bad-encoding');
  });
});
