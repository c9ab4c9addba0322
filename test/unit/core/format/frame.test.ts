import { constants, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../../../src/base/bytes.ts';
import { KiB, MiB } from '../../../../src/base/units.ts';
import { sealAead } from '../../../../src/core/crypto/aead.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import {
  type FrameContext,
  footerIndex,
  openFrame,
  sealFrame,
} from '../../../../src/core/format/frame.ts';
import { zstdContentSize } from '../../../../src/core/format/zstd-header.ts';
import { byteStream } from '../../../support/byte-stream.ts';

const key = byteStream('key', 32);
const context: FrameContext = {
  type: 'data',
  dataset: byteStream('dataset', 16),
  salt: byteStream('salt', 16),
  index: 5n,
};
const text = utf8('{"name":"a file","size":1234,"mode":420}\n'.repeat(5000));
/** Codec and tag. */
const overhead = 17;

function open(sealed: Uint8Array, change: object = {}): Uint8Array {
  return openFrame({ sealed, key, context, plainSizeMax: 8 * MiB, ...change });
}

function codeOfOpening(sealed: Uint8Array, change: object = {}): string {
  try {
    open(sealed, change);
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
  return 'ok';
}

/** A frame whose plaintext is exactly these bytes, sealed as proto/README.md says. */
function sealExactly(plain: Uint8Array): Uint8Array {
  const nonce = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5);
  const additional = concat([
    utf8('holdfast-frame-1'),
    Uint8Array.of(1),
    context.dataset,
    context.salt,
    nonce.subarray(4),
  ]);
  return sealAead({ key, nonce, additional, plain });
}

describe('sealFrame', () => {
  test('lays out the frame as in "Frame" of proto/README.md', () => {
    const plain = utf8('stored as it is');
    const expected = sealExactly(concat([Uint8Array.of(0), plain]));
    expect(sealFrame({ plain, key, context, level: 0 })).toEqual(expected);
  });

  test('puts zstd behind codec 1', () => {
    const sealed = sealExactly(concat([Uint8Array.of(1), zstdCompressSync(text)]));
    expect(open(sealed)).toEqual(text);
  });

  test('makes compressible content small, more so at a higher level', () => {
    const [fast, thorough] = [1, 19].map((level) =>
      sealFrame({ plain: text, key, context, level }),
    );
    expect(fast?.length).toBeLessThan(text.length / 50);
    expect(thorough?.length).toBeLessThanOrEqual(fast?.length as number);
    expect(open(thorough as Uint8Array)).toEqual(text);
  });

  test.each([0, 1, 100, 64 * KiB - 1, 64 * KiB, MiB])(
    'stores %i random bytes without growth',
    (size) => {
      const plain = byteStream('random', size);
      const sealed = sealFrame({ plain, key, context, level: 3 });
      expect(sealed.length).toBe(size + overhead);
      expect(open(sealed)).toEqual(plain);
    },
  );

  test('compresses what is compressible in parts only', () => {
    const plain = concat([byteStream('random', 300 * KiB), text, byteStream('more', 200 * KiB)]);
    const sealed = sealFrame({ plain, key, context, level: 3 });
    expect(sealed.length).toBeLessThan(520 * KiB);
    expect(open(sealed)).toEqual(plain);
  });

  test('stores content of which zstd would save less than a thirty-second', () => {
    const plain = concat([byteStream('random', 50_000), new Uint8Array(1000)]);
    expect(sealFrame({ plain, key, context, level: 3 }).length).toBe(plain.length + overhead);
    const worthIt = concat([byteStream('random', 50_000), new Uint8Array(3000)]);
    expect(sealFrame({ plain: worthIt, key, context, level: 3 }).length).toBeLessThan(51_000);
  });

  test('holds a footer, which is larger than a frame may be', () => {
    const plain = concat([byteStream('ids', 2 * MiB), new Uint8Array(MiB)]);
    const footer = { ...context, index: footerIndex };
    const sealed = sealFrame({ plain, key, context: footer, level: 3 });
    expect(sealed.length).toBeLessThan(2.1 * MiB);
    expect(open(sealed, { context: footer })).toEqual(plain);
  });

  test('refuses levels that zstd does not have', () => {
    for (const level of [-1, 23, 1.5]) {
      expect(() => sealFrame({ plain: text, key, context, level })).toThrow('a zstd level');
    }
  });
});

describe('openFrame', () => {
  const sealed = sealFrame({ plain: text, key, context, level: 3 });

  test.each([
    ['another index', { context: { ...context, index: 6n } }],
    ['the place of the footer', { context: { ...context, index: footerIndex } }],
    ['another type', { context: { ...context, type: 'metadata' } }],
    ['another dataset', { context: { ...context, dataset: byteStream('other', 16) } }],
    ['another pack', { context: { ...context, salt: byteStream('other', 16) } }],
    ['another key', { key: byteStream('other', 32) }],
  ])('is corrupt for a frame of %s', (_, change) => {
    expect(codeOfOpening(sealed)).toBe('ok');
    expect(codeOfOpening(sealed, change)).toBe('corrupt');
  });

  test('is corrupt when any byte changed or is missing', () => {
    for (const at of [0, 1, sealed.length >> 1, sealed.length - 1]) {
      expect(codeOfOpening(sealed.map((byte, i) => (i === at ? byte ^ 4 : byte)))).toBe('corrupt');
    }
    expect(codeOfOpening(sealed.subarray(0, -1))).toBe('corrupt');
    expect(codeOfOpening(new Uint8Array(0))).toBe('corrupt');
  });

  test.each([
    ['no codec at all', new Uint8Array(0)],
    ['a codec that is not known', Uint8Array.of(2, 1, 2, 3)],
    ['zstd that is damaged', Uint8Array.of(1, 1, 2, 3)],
    ['zstd that ends early', concat([Uint8Array.of(1), zstdCompressSync(text).subarray(0, -9)])],
  ])('is corrupt for authentic bytes with %s', (_, plain) => {
    expect(codeOfOpening(sealExactly(plain))).toBe('corrupt');
  });

  test('lets no more come out than its bound', () => {
    const stored = sealFrame({ plain: text, key, context, level: 0 });
    for (const frame of [sealed, stored]) {
      expect(open(frame, { plainSizeMax: text.length })).toEqual(text);
      expect(codeOfOpening(frame, { plainSizeMax: text.length - 1 })).toBe('corrupt');
      expect(codeOfOpening(frame, { plainSizeMax: 0 })).toBe('corrupt');
    }
    const empty = sealFrame({ plain: new Uint8Array(0), key, context, level: 3 });
    expect(open(empty, { plainSizeMax: 0 })).toHaveLength(0);
  });

  test('gives arrays with memory of their own, as sealing does', () => {
    const stored = sealFrame({ plain: utf8('short'), key, context, level: 0 });
    const long = sealFrame({ plain: text, key, context, level: 0 });
    for (const bytes of [sealed, stored, long]) {
      expect(bytes.buffer.byteLength).toBe(bytes.length);
    }
    for (const frame of [sealed, stored, long]) {
      const [bytes, again] = [open(frame), open(frame)];
      expect(bytes.constructor).toBe(Uint8Array);
      expect(bytes.buffer.byteLength).toBeLessThanOrEqual(bytes.length + 64);
      again.fill(0);
      expect(bytes).toEqual(open(frame));
    }
  });

  test('does not trust what a frame says about how long it will be', () => {
    const whole = new Uint8Array(zstdCompressSync(text, { pledgedSrcSize: text.length }));
    expect(zstdContentSize(whole)).toBe(text.length);
    expect(open(sealExactly(concat([Uint8Array.of(1), whole])))).toEqual(text);
    // Behind the window, unless there is a single segment.
    const at = ((whole[4] as number) & 0x20) === 0 ? 6 : 5;
    for (const said of [text.length - 1, text.length + 1, 0xffff_ffff]) {
      const wrong = whole.slice();
      new DataView(wrong.buffer).setUint32(at, said, true);
      expect(zstdContentSize(wrong)).toBe(said);
      expect(codeOfOpening(sealExactly(concat([Uint8Array.of(1), wrong])))).toBe('corrupt');
    }
  });

  test('inflates what does not say how long it will be', () => {
    const unsaid = zstdCompressSync(text, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
    expect(zstdContentSize(unsaid)).toBeUndefined();
    expect(open(sealExactly(concat([Uint8Array.of(1), unsaid])))).toEqual(text);
  });
});
