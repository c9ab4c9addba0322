import { create, toBinary } from '@bufbuild/protobuf';
import { concat, equal } from '../../base/bytes.ts';
import { KiB } from '../../base/units.ts';
import { deriveKey } from '../crypto/derive.ts';
import { HoldfastError } from '../errors.ts';
import { idBytes } from '../ids.ts';
import { fromBase32, toBase32 } from './base32.ts';
import { factHash } from './facts.ts';
import { atMost, decodeMessage, exactBytes, idField, integer, label } from './field.ts';
import { CodeSchema } from './gen/holdfast/v1/exchange_pb.js';
import { contactFrom, contactMessage, rolesFrom } from './member.ts';
import type { InviteCode } from './records.ts';

const textPrefix = 'holdfast-invite-1-';
const checksumSize = 4;
const codeSizeMax = 4 * KiB;

/** Members that a joiner may try: the issuer first. */
export const inviteContactsMax = 8;

/** The text that an operator hands over, in one word. It is as good as a key until it is used or ends. */
export function formatInvite(code: InviteCode): string {
  const message = toBinary(
    CodeSchema,
    create(CodeSchema, {
      cluster: idBytes(code.cluster),
      secret: code.secret,
      site: code.site,
      region: code.region,
      notAfterMs: BigInt(code.notAfterMs),
      contacts: code.contacts.map(contactMessage),
      roles: [...code.roles],
    }),
  );
  decodeCode(message);
  return textPrefix + toBase32(concat([message, checksumOf(message)]));
}

/**
 * The code in a text; white space and letter case do not matter.
 * @throws HoldfastError usage, saying what is wrong with the text
 */
export function parseInvite(text: string): InviteCode {
  const compact = text.replace(/\s+/g, '').toLowerCase();
  if (!compact.startsWith(textPrefix)) throw refused(`it does not start with "${textPrefix}"`);
  const digits = compact.slice(textPrefix.length);
  const stray = /[^a-z2-7]/u.exec(digits);
  if (stray !== null) throw refused(`"${stray[0]}" at ${stray.index + 1} cannot stand in it`);
  const bytes = fromBase32(digits);
  if (bytes === undefined || bytes.length <= checksumSize) throw refused('it is cut short');
  const message = bytes.subarray(0, -checksumSize);
  if (!equal(bytes.subarray(-checksumSize), checksumOf(message))) {
    throw refused('it is mistyped or cut short: its checksum does not match');
  }
  try {
    return decodeCode(message);
  } catch (cause) {
    throw refused('another version made it', cause);
  }
}

function decodeCode(bytes: Uint8Array): InviteCode {
  const message = decodeMessage(CodeSchema, bytes, codeSizeMax);
  const anyTime = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    cluster: idField(message.cluster, 32, 'cluster id'),
    secret: exactBytes(message.secret, 32, 'secret'),
    site: label(message.site, 'site'),
    region: label(message.region, 'region'),
    roles: rolesFrom(message.roles),
    notAfterMs: integer(message.notAfterMs, anyTime, 'end of the invite'),
    contacts: atMost(message.contacts, inviteContactsMax, 'contacts').map(contactFrom),
  };
}

function checksumOf(message: Uint8Array): Uint8Array {
  return factHash(message).subarray(0, checksumSize);
}

function refused(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('usage', `this is no invite code: ${why}`, {
    next: 'copy the whole code again, or ask for a new one: holdfast invite',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The Ed25519 secret (32 bytes) of the joiner's first identity, from the code's secret. */
export function inviteSecret(secret: Uint8Array): Uint8Array {
  return deriveKey(secret, 'holdfast 1 invite peer');
}
