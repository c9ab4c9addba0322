import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { zstdContentSize } from '../../../../src/core/format/zstd-header.ts';
import { byteStream } from '../../../support/byte-stream.ts';

test.each([100, 255, 256, 300, 65_791, 65_792, 70_000, 1 << 20])(
  'the length of %i bytes stands in the header of what they were packed into',
  (size) => {
    const packed = zstdCompressSync(byteStream('plain', size), { pledgedSrcSize: size });
    expect(zstdContentSize(packed)).toBe(size);
  },
);

test('eight bytes of length are read, too', () => {
  const header = new Uint8Array(18);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0xfd2fb528, true);
  view.setUint8(4, 0xe0);
  view.setBigUint64(5, 2n ** 40n, true);
  expect(zstdContentSize(header)).toBe(2 ** 40);
});

test('nothing is said by what is no such frame, or too short', () => {
  const packed = zstdCompressSync(byteStream('plain', 100), { pledgedSrcSize: 100 });
  expect(zstdContentSize(packed.subarray(0, 17))).toBeUndefined();
  expect(zstdContentSize(packed.subarray(1))).toBeUndefined();
  const unsaid = packed.slice();
  // The flags of the length, and that of a single segment.
  unsaid[4] = (unsaid[4] as number) & 0x1f;
  expect(zstdContentSize(unsaid)).toBeUndefined();
});
