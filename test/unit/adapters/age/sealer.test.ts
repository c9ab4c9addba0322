import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import { byteStream } from '../../../support/byte-stream.ts';

const sealer = ageSealer();
const secret = utf8('thirty-two bytes of a pack key..');
let own: { identity: string; recipient: string };
let other: { identity: string; recipient: string };
let sealed: Uint8Array;

beforeAll(async () => {
  own = await sealer.generate();
  other = await sealer.generate();
  sealed = await sealer.seal([own.recipient], secret);
});

async function codeOfRejection(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => codeOf(error) ?? String(error),
  );
}

describe('identities', () => {
  test('are hybrid post-quantum ones and lead to their recipient', async () => {
    expect(own.identity).toMatch(/^AGE-SECRET-KEY-PQ-1[0-9A-Z]{58}$/);
    expect(own.recipient).toMatch(/^age1pq1[0-9a-z]{1952}$/);
    expect(await sealer.recipientOf(own.identity)).toBe(own.recipient);
    expect(await identityToRecipient(own.identity)).toBe(own.recipient);
    expect(own.identity).not.toBe(other.identity);
  });

  test.each(['', 'age1pq1xyz', 'AGE-SECRET-KEY-PQ-1', 'AGE-SECRET-KEY-PQ-1QQQQ'])(
    'are not made of the text "%s"',
    async (text) => {
      expect(await codeOfRejection(sealer.recipientOf(text))).toBe('wrong-key');
      expect(await codeOfRejection(sealer.open(text, sealed))).toBe('wrong-key');
    },
  );

  test('with one letter mistyped are refused, and the error does not repeat them', async () => {
    const at = own.identity.length - 10;
    const letter = own.identity[at] === 'Q' ? 'P' : 'Q';
    const typo = own.identity.slice(0, at) + letter + own.identity.slice(at + 1);
    const error: unknown = await sealer.recipientOf(typo).catch((reason: unknown) => reason);
    expect(codeOf(error)).toBe('wrong-key');
    expect((error as Error).message).not.toContain(typo);
  });
});

describe('a sealed secret', () => {
  test('is a literal age v1 file that any age reader opens', async () => {
    const head = new TextDecoder('latin1').decode(sealed).split('\n');
    expect(head[0]).toBe('age-encryption.org/v1');
    expect(head[1]).toMatch(/^-> mlkem768x25519 [A-Za-z0-9+/]+$/);
    expect(head[3]).toMatch(/^--- [A-Za-z0-9+/]{43}$/);
    const stock = new Decrypter();
    stock.addIdentity(own.identity);
    expect(await stock.decrypt(sealed)).toEqual(secret);
  });

  test('may come from any age writer', async () => {
    for (let length = 0; length < 10; length++) {
      const stock = new Encrypter();
      stock.addRecipient(length % 2 === 0 ? own.recipient : other.recipient);
      stock.addRecipient(length % 2 === 0 ? other.recipient : own.recipient);
      const bytes = secret.subarray(0, length);
      const file = await stock.encrypt(bytes);
      expect(await sealer.open(own.identity, file)).toEqual(bytes);
      expect(await sealer.open(other.identity, file)).toEqual(bytes);
    }
  });

  test('of several pieces is opened whole', async () => {
    const large = byteStream('large', 200_000);
    const file = await sealer.seal([own.recipient], large);
    expect(await sealer.open(own.identity, file)).toEqual(large);
  });

  test('is opened by each of its recipients and by nobody else', async () => {
    const both = await sealer.seal([own.recipient, other.recipient], secret);
    expect(await sealer.open(own.identity, both)).toEqual(secret);
    expect(await sealer.open(other.identity, both)).toEqual(secret);
    expect(await codeOfRejection(sealer.open(other.identity, sealed))).toBe('wrong-key');
  });

  test('may also be for the X25519 recipient of an operator', async () => {
    const identity = await generateX25519Identity();
    const mixed = await sealer.seal([await identityToRecipient(identity)], secret);
    expect(await sealer.open(identity, mixed)).toEqual(secret);
  });

  test('differs each time it is sealed', async () => {
    expect(await sealer.seal([own.recipient], secret)).not.toEqual(sealed);
  });

  test('fits the sealed key of a pack header', () => {
    expect(sealed.length).toBeLessThan(8192);
  });

  test('that was changed, cut or made up is corrupt', async () => {
    const [first, macAt, last] = [0, sealed.length - 100, sealed.length - 1];
    for (const at of [first, macAt, last]) {
      const changed = sealed.with(at, (sealed[at] as number) ^ 1);
      expect(await codeOfRejection(sealer.open(own.identity, changed))).toBe('corrupt');
    }
    for (const bytes of [
      sealed.subarray(0, -1),
      sealed.subarray(0, 500),
      new Uint8Array(),
      secret,
    ]) {
      expect(await codeOfRejection(sealer.open(own.identity, bytes))).toBe('corrupt');
    }
  });

  test('is not made for nobody', async () => {
    await expect(sealer.seal([], secret)).rejects.toThrow('at least one recipient');
  });

  test('is not made for a recipient that is none', async () => {
    for (const recipient of ['', 'age1xyz', 'ssh-ed25519 AAAA', own.recipient.slice(0, -1)]) {
      expect(await codeOfRejection(sealer.seal([recipient], secret))).toBe('wrong-key');
    }
  });
});
