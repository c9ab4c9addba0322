import { create, toBinary } from '@bufbuild/protobuf';
import { concat, equal, toHex, utf8 } from '../../base/bytes.ts';
import { hash } from '../crypto/hash.ts';
import { isAcceptableKey, publicKeyOf, sign, verify } from '../crypto/signature.ts';
import { HoldfastError } from '../errors.ts';
import { type ClusterId, idBytes } from '../ids.ts';
import { limits } from '../limits.ts';
import { decodeMessage, integer, malformed } from './field.ts';
import {
  type Envelope,
  EnvelopeSchema,
  type Signature,
  SignatureSchema,
} from './gen/holdfast/v1/cluster_pb.js';
import { operatorsMax } from './genesis.ts';

/** What a signature covers besides the payload: it cannot be moved to another cluster or purpose. */
export type Signed = {
  readonly type: 'statement' | 'control';
  readonly cluster: ClusterId;
  readonly generation: bigint;
  readonly payload: Uint8Array;
};

/** The bytes that are signed and hashed: see "Statements" in proto/README.md. */
export function signedBytes({ type, cluster, generation, payload }: Signed): Uint8Array {
  const name = utf8(type);
  const numbers = new DataView(new ArrayBuffer(16));
  numbers.setBigUint64(0, generation);
  numbers.setBigUint64(8, BigInt(payload.length));
  return concat([
    utf8('holdfast-sig-1'),
    Uint8Array.of(name.length),
    name,
    idBytes(cluster),
    new Uint8Array(numbers.buffer),
    payload,
  ]);
}

/** 32 bytes: what a statement is named by. It does not depend on who signed. */
export function statementHash(signed: Signed): Uint8Array {
  return hash('statement', signedBytes(signed));
}

/**
 * Signs a payload with each of the Ed25519 secrets (32 bytes, of different keys).
 * @throws HoldfastError limit-exceeded (over limits.envelopeSizeMax, or statementSizeMax of a statement)
 */
export function sealEnvelope(signed: Signed & { readonly secrets: readonly Uint8Array[] }): {
  bytes: Uint8Array;
  hash: Uint8Array;
} {
  const message = signedBytes(signed);
  const bytes = toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, {
      type: signed.type,
      cluster: idBytes(signed.cluster),
      generation: signed.generation,
      payload: signed.payload,
      signatures: signed.secrets.map((secret) => ({
        key: publicKeyOf(secret),
        signature: sign(secret, message),
      })),
    }),
  );
  const sizeMax = sizeMaxOf(signed.type);
  if (bytes.length > sizeMax) {
    const details = { size: bytes.length, sizeMax };
    throw new HoldfastError('limit-exceeded', 'the statement is too large to sign', { details });
  }
  return { bytes, hash: hash('statement', message) };
}

function sizeMaxOf(type: Signed['type']): number {
  return type === 'statement' ? limits.statementSizeMax : limits.envelopeSizeMax;
}

/** The same payload with one signature more, by another key. @throws HoldfastError bad-encoding | bad-signature */
export function addSignature(
  bytes: Uint8Array,
  { secret, ...expected }: { cluster: ClusterId; type: Signed['type']; secret: Uint8Array },
): Uint8Array {
  const { payload, generation } = openEnvelope(bytes, expected);
  const envelope = decodeMessage(EnvelopeSchema, bytes, limits.envelopeSizeMax);
  const signature = sign(secret, signedBytes({ ...expected, generation, payload }));
  const added = create(SignatureSchema, { key: publicKeyOf(secret), signature });
  envelope.signatures.push(added);
  return toBinary(EnvelopeSchema, envelope);
}

/**
 * Checks an envelope completely: its encoding, that it is of this type and cluster, and every signature.
 * Whether the signers may say what the payload says is for the caller to judge.
 * @returns the payload as it was signed, its hash, and the keys (32 bytes each) that signed it, at least one.
 * @throws HoldfastError bad-encoding | bad-signature
 */
export function openEnvelope(
  bytes: Uint8Array,
  expected: { readonly cluster: ClusterId; readonly type?: Signed['type'] },
): { payload: Uint8Array; generation: bigint; hash: Uint8Array; signers: Uint8Array[] } {
  const { cluster, type = 'statement' } = expected;
  const envelope = decodeMessage(EnvelopeSchema, bytes, sizeMaxOf(type));
  refuseOtherEncodings(envelope, bytes);
  if (envelope.type !== type) throw badSignature('it was signed for another purpose');
  if (!equal(envelope.cluster, idBytes(cluster))) {
    throw badSignature('it was signed for another cluster');
  }
  const { generation, payload } = envelope;
  const message = signedBytes({ type, cluster, generation, payload });
  const signers = checkSignatures(envelope.signatures, message);
  return { payload: payload.slice(), generation, hash: hash('statement', message), signers };
}

/** Nothing unsigned may hide in an envelope, and one set of signatures has one encoding. */
function refuseOtherEncodings(envelope: Envelope, bytes: Uint8Array): void {
  if (!equal(toBinary(EnvelopeSchema, envelope), bytes)) {
    throw malformed('the envelope is not encoded in the one allowed way');
  }
}

function checkSignatures(signatures: readonly Signature[], message: Uint8Array): Uint8Array[] {
  if (signatures.length === 0) throw badSignature('nobody signed it');
  // Members sign alone; only operators sign together.
  integer(signatures.length, { min: 1, max: operatorsMax }, 'count of signatures');
  const seen = new Set<string>();
  return signatures.map(({ key, signature }) => {
    const name = toHex(key);
    if (seen.has(name)) throw badSignature(`${name} signed it twice`);
    seen.add(name);
    if (key.length !== 32 || signature.length !== 64) {
      throw badSignature('a key or signature has a wrong length');
    }
    if (!isAcceptableKey(key)) throw badSignature(`${name} is no acceptable key`);
    if (!verify(key, message, signature)) throw badSignature(`the signature of ${name} is wrong`);
    return key.slice();
  });
}

function badSignature(why: string): HoldfastError {
  return new HoldfastError('bad-signature', `refused a statement: ${why}`);
}
