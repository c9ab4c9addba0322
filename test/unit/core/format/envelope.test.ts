import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { publicKeyOf, sign } from '../../../../src/core/crypto/signature.ts';
import {
  openEnvelope,
  sealEnvelope,
  signedBytes,
  statementHash,
} from '../../../../src/core/format/envelope.ts';
import { EnvelopeSchema } from '../../../../src/core/format/gen/holdfast/v1/cluster_pb.js';
import { type ClusterId, idBytes, idOf } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { agentSecret, filled, operatorSecret, outcomeOf } from './samples.ts';

const cluster = idOf<ClusterId>(filled(30));
const signed = { type: 'statement', cluster, generation: 5n, payload: utf8('payload') } as const;
const key = publicKeyOf(agentSecret);
const good = { key, signature: sign(agentSecret, signedBytes(signed)) };

function envelopeOf(changes: object): Uint8Array {
  const fields = { ...signed, cluster: idBytes(cluster), signatures: [good], ...changes };
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, fields));
}

function open(bytes: Uint8Array): string {
  return outcomeOf(() => openEnvelope(bytes, { cluster }));
}

test('an envelope gives back its payload, its hash, and everyone who signed', () => {
  const secrets = [agentSecret, operatorSecret];
  const sealed = sealEnvelope({ ...signed, secrets });
  const opened = openEnvelope(sealed.bytes, { cluster });
  expect(opened.payload).toEqual(signed.payload);
  expect(opened.generation).toBe(5n);
  expect(opened.signers).toEqual(secrets.map(publicKeyOf));
  expect(opened.hash).toEqual(sealed.hash);
  expect(sealed.hash).toEqual(statementHash(signed));
});

test('the signed bytes are those of "Statements" in proto/README.md', () => {
  const head = `${toHex(utf8('holdfast-sig-1'))}09${toHex(utf8('statement'))}`;
  const numbers = '0000000000000005' + '0000000000000007';
  const expected = `${head}${'1e'.repeat(32)}${numbers}${toHex(utf8('payload'))}`;
  expect(toHex(signedBytes(signed))).toBe(expected);
  expect(statementHash(signed)).toEqual(hash('statement', signedBytes(signed)));
});

test('the hash does not depend on who signed', () => {
  const one = sealEnvelope({ ...signed, secrets: [agentSecret] });
  const other = sealEnvelope({ ...signed, secrets: [operatorSecret] });
  expect(one.hash).toEqual(other.hash);
});

describe('bad-signature is the answer to', () => {
  const flipped = good.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
  const identity = concat([Uint8Array.of(1), filled(0, 31)]);
  const cases: [string, object][] = [
    ['nobody having signed', { signatures: [] }],
    ['a changed signature', { signatures: [{ key, signature: flipped }] }],
    [
      'a signature of someone else',
      { signatures: [{ ...good, key: publicKeyOf(operatorSecret) }] },
    ],
    [
      'one bad signature among good ones',
      { signatures: [good, { key: filled(3), signature: flipped }] },
    ],
    ['one signer twice', { signatures: [good, good] }],
    [
      'a key of small order',
      { signatures: [{ key: identity, signature: concat([identity, filled(0)]) }] },
    ],
    ['a key of a wrong length', { signatures: [{ ...good, key: filled(1, 31) }] }],
    ['another payload', { payload: utf8('Payload') }],
    ['another generation', { generation: 6n }],
    ['another cluster', { cluster: filled(31) }],
    ['another type', { type: 'pairing' }],
  ];

  test.each(cases)('%s', (_what, changes) => {
    expect(open(envelopeOf({}))).toBe('ok');
    expect(open(envelopeOf(changes))).toBe('bad-signature');
  });

  test('a statement of another cluster that is whole in itself', () => {
    const elsewhere = { ...signed, cluster: idOf<ClusterId>(filled(31)) };
    expect(open(sealEnvelope({ ...elsewhere, secrets: [agentSecret] }).bytes)).toBe(
      'bad-signature',
    );
  });
});

describe('bad-encoding is the answer to', () => {
  const valid = envelopeOf({});

  test('an unsigned field beside the signed ones', () => {
    expect(open(concat([valid, Uint8Array.of(6 << 3, 1)]))).toBe('bad-encoding');
  });

  test('a number written with more bytes than it needs', () => {
    const at = toHex(valid).indexOf('1805') / 2;
    const long = [valid.subarray(0, at), Uint8Array.of(0x18, 0x85, 0x00), valid.subarray(at + 2)];
    expect(open(concat(long))).toBe('bad-encoding');
  });

  test('more signatures than a cluster has operators', () => {
    expect(open(envelopeOf({ signatures: Array.from({ length: 17 }, () => good) }))).toBe(
      'bad-encoding',
    );
  });

  test('an envelope over its limit', () => {
    const payload = new Uint8Array(limits.envelopeSizeMax);
    expect(open(envelopeOf({ payload }))).toBe('bad-encoding');
  });

  test('bytes that are no envelope', () => {
    expect(open(filled(0xff, 40))).toBe('bad-encoding');
  });
});

test('nobody signs a statement over the limit', () => {
  const payload = new Uint8Array(limits.envelopeSizeMax);
  const seal = (): unknown => sealEnvelope({ ...signed, payload, secrets: [agentSecret] });
  expect(outcomeOf(seal)).toBe('limit-exceeded');
});
