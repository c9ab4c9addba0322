import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { assert } from '../../base/assert.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Sealer } from '../../ports/sealer.ts';

/** age v1 files (C2SP age.md) with hybrid post-quantum recipients; stock age and rage open them. */
export function ageSealer(): Sealer {
  return { generate, recipientOf, seal, open };
}

async function generate(): Promise<{ identity: string; recipient: string }> {
  const identity = await generateHybridIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

async function recipientOf(identity: string): Promise<string> {
  try {
    return await identityToRecipient(identity);
  } catch (cause) {
    throw noIdentity(cause);
  }
}

async function seal(recipients: readonly string[], secret: Uint8Array): Promise<Uint8Array> {
  // The library would make a file that nobody can ever open.
  assert(recipients.length > 0, 'a secret is sealed to at least one recipient');
  const encrypter = new Encrypter();
  for (const recipient of recipients) addRecipient(encrypter, recipient);
  return encrypter.encrypt(secret);
}

function addRecipient(encrypter: Encrypter, recipient: string): void {
  try {
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new HoldfastError('wrong-key', 'this is no age recipient', { cause });
  }
}

async function open(identity: string, sealed: Uint8Array): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(identity);
  } catch (cause) {
    throw noIdentity(cause);
  }
  try {
    return await decrypter.decrypt(sealed);
  } catch (cause) {
    throw openFailure(cause);
  }
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
