import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { base64nopad, bech32 } from '@scure/base';
import { type Identity, type Recipient, Stanza } from 'age-encryption';
import { concat, utf8 } from '../../base/bytes.ts';
import {
  type HybridKey,
  hybridCiphertextSize,
  hybridDecapsulate,
  hybridEncapsulate,
  hybridKey,
  hybridPublicKeySize,
  hybridSeedSize,
  publicOf,
} from './hybrid-kem.ts';

// Stanzas of age's hybrid recipients (C2SP age.md, "The mlkem768x25519 recipient type"): HPKE (RFC 9180) in base mode
// with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305. Everything else of an age file is the library's.

const stanzaType = 'mlkem768x25519';
const info = utf8('age-encryption.org/mlkem768x25519');
/** "HPKE", KEM 0x647a, KDF 0x0001, AEAD 0x0003. */
const suite = concat([utf8('HPKE'), Uint8Array.of(0x64, 0x7a, 0x00, 0x01, 0x00, 0x03)]);
const none = new Uint8Array(0);
const tagSize = 16;
/** A file key and its tag. */
const bodySize = 16 + tagSize;

/** For identities of this kind alone (AGE-SECRET-KEY-PQ-1...). @throws Error when it is no such text */
export function hybridIdentity(text: string): Identity {
  const key = keyOf(text);
  return {
    unwrapFileKey: (stanzas) => {
      for (const { args, body } of stanzas) {
        if (args[0] !== stanzaType) continue;
        const share = base64nopad.decode(args[1] ?? '');
        const isWhole = args.length === 2 && share.length === hybridCiphertextSize;
        if (!isWhole || body.length !== bodySize) throw new Error(`invalid ${stanzaType} stanza`);
        const fileKey = opened(hybridDecapsulate(key, share), body);
        if (fileKey !== undefined) return fileKey;
      }
      return null;
    },
  };
}

/** Of identities of this kind alone. @throws Error when it is no such text */
export function hybridRecipientOf(identity: string): string {
  return bech32.encode('age1pq', bech32.toWords(publicOf(keyOf(identity))), false);
}

function keyOf(text: string): HybridKey {
  const { prefix, bytes } = bech32.decodeToBytes(text);
  const isHybrid = prefix.toUpperCase() === 'AGE-SECRET-KEY-PQ-' && text === text.toUpperCase();
  if (!isHybrid || bytes.length !== hybridSeedSize) throw new Error('invalid identity');
  const key = hybridKey(bytes);
  bytes.fill(0);
  return key;
}

/** For recipients of this kind alone (age1pq1...). @throws Error when it is no such text */
export function hybridRecipient(text: string): Recipient {
  const { prefix, words } = bech32.decode(text as `${string}1${string}`, false);
  const publicKey = bech32.fromWords(words);
  if (prefix !== 'age1pq' || publicKey.length !== hybridPublicKeySize) {
    throw new Error('invalid recipient');
  }
  return {
    wrapFileKey: (fileKey) => {
      const { ciphertext, shared } = hybridEncapsulate(publicKey);
      const share = base64nopad.encode(ciphertext);
      return [new Stanza([stanzaType, share], sealed(shared, fileKey))];
    },
  };
}

function sealed(shared: Uint8Array, fileKey: Uint8Array): Uint8Array {
  const { key, nonce } = context(shared);
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagSize });
  const body = [cipher.update(fileKey), cipher.final(), cipher.getAuthTag()];
  return concat(body);
}

function opened(shared: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  const { key, nonce } = context(shared);
  const cipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagSize });
  cipher.setAuthTag(body.subarray(-tagSize));
  const fileKey = cipher.update(body.subarray(0, -tagSize));
  try {
    cipher.final();
  } catch {
    return undefined;
  }
  return new Uint8Array(fileKey);
}

/** RFC 9180, section 5.1, mode_base: the key schedule of one message. */
function context(shared: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const pskHash = extract(none, 'psk_id_hash', none);
  const infoHash = extract(none, 'info_hash', info);
  const schedule = concat([Uint8Array.of(0), pskHash, infoHash]);
  const secret = extract(shared, 'secret', none);
  return {
    key: expand(secret, 'key', schedule, 32),
    nonce: expand(secret, 'base_nonce', schedule, 12),
  };
}

function extract(salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  const labelled = concat([utf8('HPKE-v1'), suite, utf8(label), ikm]);
  return createHmac('sha256', salt).update(labelled).digest();
}

/** At most one block of HKDF-SHA256, 32 bytes. */
function expand(secret: Uint8Array, label: string, of: Uint8Array, size: number): Uint8Array {
  const head = Uint8Array.of(size >> 8, size & 0xff);
  const labelled = concat([head, utf8('HPKE-v1'), suite, utf8(label), of]);
  const block = createHmac('sha256', secret).update(labelled).update(Uint8Array.of(1)).digest();
  return new Uint8Array(block.subarray(0, size));
}
