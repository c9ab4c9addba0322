import { concat, equal, toHex, utf8 } from '../../src/base/bytes.ts';
import { openAead, sealAead } from '../../src/core/crypto/aead.ts';
import { deriveKey } from '../../src/core/crypto/derive.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { EpochMint } from '../../src/ports/key-records.ts';
import type { Entropy } from '../../src/ports/runtime.ts';
import type { Sealer } from '../../src/ports/sealer.ts';

/**
 * A toy in the place of age, which would take most of the time of a run: anybody who has seen a recipient
 * could open what is sealed to it. It still tells apart who holds which identity, since `open` wants one.
 */
const alphabet = '023456789ACDEFGHJKLMNPQRSTUVWXYZ';
const prefix = 'AGE-SECRET-KEY-PQ-1';
const keySize = 32;

export function identityFrom(secret: Uint8Array): string {
  const letters = Array.from({ length: 58 }, (_, i) => alphabet[(secret[i % 32] as number) % 32]);
  return prefix + letters.join('');
}

export function recipientFor(identity: string): string {
  return `age1pq1${toHex(hash('path', utf8(identity)))}`;
}

export function toySealer(entropy: Entropy): Sealer {
  return {
    generate: async () => {
      const identity = identityFrom(entropy.bytes(keySize));
      return { identity, recipient: recipientFor(identity) };
    },
    recipientOf: async (identity) => {
      if (!identity.startsWith(prefix)) throw new HoldfastError('wrong-key', 'no identity');
      return recipientFor(identity);
    },
    seal: async (recipients, secret) => {
      const stanzas = recipients.map((recipient) => stanza(recipient, secret));
      return concat([Uint8Array.of(recipients.length), ...stanzas]);
    },
    open: async (identity, sealed) => open(recipientFor(identity), sealed),
  };
}

/** Makes an identity, seals it, and forgets it. */
export function toyMint(entropy: Entropy): EpochMint {
  const sealer = toySealer(entropy);
  return {
    mint: async (groups) => {
      const { identity, recipient } = await sealer.generate();
      const files = groups.map((group) => sealer.seal(group, utf8(identity)));
      return { recipient, files: await Promise.all(files) };
    },
  };
}

function stanza(recipient: string, secret: Uint8Array): Uint8Array {
  const cipher = sealAead({ ...bindingOf(recipient), plain: secret });
  return concat([hash('path', utf8(recipient)), Uint8Array.of(cipher.length), cipher]);
}

function bindingOf(recipient: string): {
  key: Uint8Array;
  nonce: Uint8Array;
  additional: Uint8Array;
} {
  const key = deriveKey(utf8(recipient), 'toy sealer');
  return { key, nonce: new Uint8Array(12), additional: utf8(recipient) };
}

function open(recipient: string, sealed: Uint8Array): Uint8Array {
  const wanted = hash('path', utf8(recipient));
  let at = 1;
  for (let i = 0; i < (sealed[0] ?? 0) && at + keySize < sealed.length; i++) {
    const size = sealed[at + keySize] as number;
    const cipher = sealed.subarray(at + keySize + 1, at + keySize + 1 + size);
    const isOurs = equal(sealed.subarray(at, at + keySize), wanted);
    at += keySize + 1 + size;
    if (!isOurs) continue;
    const plain = openAead({ ...bindingOf(recipient), sealed: cipher });
    if (plain !== undefined) return plain;
    throw new HoldfastError('corrupt', 'the sealed secret is damaged');
  }
  throw new HoldfastError('wrong-key', 'the secret is sealed to another key');
}
