import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compare,
  concat,
  equal,
  fromHex,
  fromUtf8,
  printable,
  release,
  toHex,
  utf8,
} from '../../../src/base/bytes.ts';

const bytes = fc.uint8Array({ maxLength: 40 });

describe('hexadecimal text', () => {
  test('comes back as the same bytes', () => {
    fc.assert(
      fc.property(bytes, (some) => {
        const text = toHex(some);
        expect(text).toBe(Buffer.from(some).toString('hex'));
        expect(fromHex(text)).toEqual(some);
        expect(fromHex(text.toUpperCase())).toEqual(some);
      }),
    );
  });

  test.each(['0', 'zz', '0x12', ' 12', '1 ', '１２'])('%j is none', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });
});

describe('order', () => {
  test('is that of unsigned bytes, the shorter first', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(Buffer.compare(a, b));
        expect(equal(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });

  test('counts 0xff above 0x7f', () => {
    expect(compare(Uint8Array.of(0xff), Uint8Array.of(0x7f))).toBeGreaterThan(0);
  });
});

test('joined bytes are a copy', () => {
  const part = Uint8Array.of(1, 2);
  const joined = concat([part, new Uint8Array(0), Uint8Array.of(3)]);
  part[0] = 9;
  expect(joined).toEqual(Uint8Array.of(1, 2, 3));
});

describe('UTF-8', () => {
  test('comes back as the same text, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(fromUtf8(utf8(text))).toBe(text.toWellFormed());
      }),
    );
    expect(fromUtf8(utf8('\ufeffa'))).toBe('\ufeffa');
  });

  test('that is broken has no text', () => {
    expect(fromUtf8(Uint8Array.of(0x61, 0xc3))).toBeUndefined();
    expect(fromUtf8(Uint8Array.of(0xed, 0xa0, 0x80))).toBeUndefined();
  });
});

describe('text for people', () => {
  test.each([
    ['plain', utf8('/home/Jörg/ファイル.txt'), '/home/Jörg/ファイル.txt'],
    ['a new line', utf8('a\nb'), 'a\\x0ab'],
    ['an escape sequence', utf8('\u001b[31m'), '\\x1b[31m'],
    ['a backslash', utf8('a\\x0a'), 'a\\\\x0a'],
    ['delete', utf8('\u007f'), '\\x7f'],
    ['an 8-bit control sequence introducer', utf8('\u009b31m'), '\\xc2\\x9b31m'],
    ['a right-to-left override', utf8('a\u202egpj.exe'), 'a\\xe2\\x80\\xaegpj.exe'],
    ['a line separator', utf8('a\u2028b'), 'a\\xe2\\x80\\xa8b'],
    ['bytes that are no UTF-8', Uint8Array.of(0x61, 0xff, 0x5c, 0x0a), 'a\\xff\\x5c\\x0a'],
  ])('shows %s', (_, given, shown) => {
    expect(printable(given)).toBe(shown);
  });

  test('never holds a control character, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (given) => {
        expect(printable(given)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: 500 },
    );
  });
});

test('released memory is gone, also for views of it, and may be released again', () => {
  const bytes = new Uint8Array(1000).fill(1);
  const view = bytes.subarray(10, 20);
  release(view);
  release(bytes);
  expect([bytes.length, view.length]).toEqual([0, 0]);
});
