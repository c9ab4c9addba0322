import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  type Identity,
  identityToRecipient,
  type Recipient,
} from 'age-encryption';
import { assert } from '../../base/assert.ts';
import { concat } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Sealer } from '../../ports/sealer.ts';
import { hasHybridKem } from './hybrid-kem.ts';
import { hybridIdentity, hybridRecipient, hybridRecipientOf } from './hybrid-stanza.ts';

/** age v1 files (C2SP age.md) with hybrid post-quantum recipients; stock age and rage open them. */
export function ageSealer(): Sealer {
  return { generate, recipientOf, seal, open };
}

async function generate(): Promise<{ identity: string; recipient: string }> {
  const identity = await generateHybridIdentity();
  return { identity, recipient: await recipientOf(identity) };
}

async function recipientOf(identity: string): Promise<string> {
  try {
    return isHybrid(identity) ? hybridRecipientOf(identity) : await identityToRecipient(identity);
  } catch (cause) {
    throw noIdentity(cause);
  }
}

async function seal(recipients: readonly string[], secret: Uint8Array): Promise<Uint8Array> {
  // The library would make a file that nobody can ever open.
  assert(recipients.length > 0, 'a secret is sealed to at least one recipient');
  const encrypter = new Encrypter();
  for (const recipient of recipients) addRecipient(encrypter, recipient);
  return whole(await encrypter.encrypt(streamOf(secret)));
}

function addRecipient(encrypter: Encrypter, recipient: string): void {
  try {
    encrypter.addRecipient(recipientFrom(recipient));
  } catch (cause) {
    throw new HoldfastError('wrong-key', 'this is no age recipient', { cause });
  }
}

async function open(identity: string, sealed: Uint8Array): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(identityFrom(identity));
  } catch (cause) {
    throw noIdentity(cause);
  }
  try {
    return await whole(await decrypter.decrypt(streamOf(sealed)));
  } catch (cause) {
    throw openFailure(cause);
  }
}

/** Of the kinds that the library knows: it is slow for hybrid ones. */
function identityFrom(text: string): string | Identity {
  return isHybrid(text) ? hybridIdentity(text) : text;
}

function isHybrid(identity: string): boolean {
  return identity.startsWith('AGE-SECRET-KEY-PQ-1') && hasHybridKem();
}

function recipientFrom(text: string): string | Recipient {
  return text.startsWith('age1pq1') && hasHybridKem() ? hybridRecipient(text) : text;
}

// Given an array, the library collects its answer with a `Response`, which loads an HTTP client.

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return ReadableStream.from([bytes]);
}

async function whole(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return concat(parts);
}

// A stanza damaged beyond recognition also looks like one for somebody else: age cannot tell these apart.
// The library tells its failures apart by text alone; a test holds it to this one.
const noMatch = "no identity matched any of the file's recipients";

function openFailure(cause: unknown): HoldfastError {
  if (cause instanceof Error && cause.message === noMatch) {
    return new HoldfastError('wrong-key', 'the secret is sealed to another key', { cause });
  }
  return new HoldfastError('corrupt', 'the sealed secret is damaged', { cause });
}

// Nothing of the text may be quoted: it may be a key with one letter wrong.
function noIdentity(cause: unknown): HoldfastError {
  return new HoldfastError('wrong-key', 'this is no age identity', {
    next: 'compare it with the printed recovery kit',
    cause,
  });
}
