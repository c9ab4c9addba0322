import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { releaseResult } from '../../base/bytes.ts';
import { uncleared } from '../../base/uncleared.ts';

/** Bytes that sealing adds. */
export const aeadTagSize = 16;

const none = new Uint8Array(0);

type Binding = {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes; never twice with one key. */
  readonly nonce: Uint8Array;
  /** Authenticated, not encrypted. */
  readonly additional: Uint8Array;
};

/**
 * AES-256-GCM. @returns ciphertext followed by the tag (16 bytes), a fresh array.
 * @param job.first bytes that stand before `plain`: putting them there first would copy all of it.
 */
export function sealAead(
  job: Binding & { readonly plain: Uint8Array; readonly first?: Uint8Array },
): Uint8Array {
  checkSizes(job);
  // A key object would keep a copy until it is collected; the cipher erases its own when it is final.
  const cipher = createCipheriv('aes-256-gcm', job.key, job.nonce);
  cipher.setAAD(job.additional);
  const { first = none, plain } = job;
  const sealed = uncleared(first.length + plain.length + aeadTagSize);
  // In this mode as many bytes come out as go in.
  if (first.length > 0) sealed.set(cipher.update(first));
  const body = cipher.update(plain);
  sealed.set(body, first.length);
  releaseResult(body);
  cipher.final();
  sealed.set(cipher.getAuthTag(), first.length + plain.length);
  return sealed;
}

/** Opens what `sealAead` made. @returns the plaintext, or undefined when anything differs. */
export function openAead(job: Binding & { readonly sealed: Uint8Array }): Uint8Array | undefined {
  checkSizes(job);
  const plainSize = job.sealed.length - aeadTagSize;
  if (plainSize < 0) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(job.key), job.nonce, {
    authTagLength: aeadTagSize,
  });
  decipher.setAAD(job.additional);
  decipher.setAuthTag(job.sealed.subarray(plainSize));
  const plain = decipher.update(job.sealed.subarray(0, plainSize));
  try {
    decipher.final();
  } catch {
    // The only failure of final() in this mode is a tag that does not match.
    return undefined;
  }
  return ownBytes(plain);
}

function checkSizes(binding: Binding): void {
  assert(binding.key.length === 32, 'an AES-256 key is 32 bytes');
  assert(binding.nonce.length === 12, 'a GCM nonce is 12 bytes');
}

/** Small results lie in a pool that Node shares between buffers; those are copied. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength
    ? new Uint8Array(bytes.buffer)
    : new Uint8Array(bytes);
}
