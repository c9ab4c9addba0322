import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../../src/base/bytes.ts';
import { deriveKey } from '../../../../src/core/crypto/derive.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import { fromBase32, toBase32 } from '../../../../src/core/format/base32.ts';
import {
  formatInvite,
  inviteSecret,
  parseInvite,
} from '../../../../src/core/format/invite-code.ts';
import { filled, inviteCode } from './samples.ts';

const text = formatInvite(inviteCode);

function refusal(code: string): string {
  try {
    parseInvite(code);
    return 'taken';
  } catch (error) {
    expect(codeOf(error)).toBe('usage');
    return (error as Error).message;
  }
}

describe('an invite code', () => {
  test('is one word that comes back as it was', () => {
    expect(text).toMatch(/^holdfast-invite-1-[a-z2-7]+$/);
    expect(parseInvite(text)).toEqual(inviteCode);
  });

  test('may be broken into lines and written in capitals', () => {
    const broken = text.replace(/.{20}/g, '$& \n\t').toUpperCase();
    expect(parseInvite(broken)).toEqual(inviteCode);
  });

  const middle = text.length >> 1;
  const other = text[middle] === 'a' ? 'b' : 'a';
  test.each([
    ['of something else', 'holdfast-invite-2-abc', 'does not start with "holdfast-invite-1-"'],
    ['with a letter that codes do not have', text.replace(/.$/, '0'), '"0" at'],
    ['with a letter changed', text.slice(0, middle) + other + text.slice(middle + 1), 'mistyped'],
    ['without its end', text.slice(0, -16), 'cut short'],
    ['without anything', 'holdfast-invite-1-', 'cut short'],
  ])('%s is refused with the reason', (_what, code, words) => {
    expect(refusal(code)).toContain(words);
  });

  test('is not made of a site that is no label', () => {
    expect(() => formatInvite({ ...inviteCode, site: 'Oslo Süd' })).toThrow('site must be');
  });

  test('gives the joiner an identity of its own', () => {
    const expected = deriveKey(filled(23), 'holdfast 1 invite peer');
    expect(inviteSecret(inviteCode.secret)).toEqual(expected);
  });
});

describe('base32', () => {
  test.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('of "%s" is that of RFC 4648, section 10, without padding', (plain, encoded) => {
    expect(toBase32(utf8(plain))).toBe(encoded);
    expect(fromBase32(encoded)).toEqual(utf8(plain));
  });

  test('comes back for all bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(fromBase32(toBase32(bytes))).toEqual(bytes);
      }),
    );
  });

  test.each(['m', 'mzx', 'mz', 'mzxw6y', 'm1', 'MY'])('has no bytes for "%s"', (encoded) => {
    expect(fromBase32(encoded)).toBeUndefined();
  });
});
