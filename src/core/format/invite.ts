import type { MessageInitShape } from '@bufbuild/protobuf';
import { idBytes } from '../ids.ts';
import { idField, integer, label } from './field.ts';
import type { Invite as InviteMessage, InviteSchema } from './gen/holdfast/v1/cluster_pb.js';
import { rolesFrom } from './member.ts';
import type { Invite } from './records.ts';

/** The message of an invite. */
export function inviteMessage(invite: Invite): MessageInitShape<typeof InviteSchema> {
  const { inviteKey, site, region, roles, notAfterMs, issuer } = invite;
  return {
    ...{ site, region, roles: [...roles], notAfterMs: BigInt(notAfterMs) },
    ...{ inviteKey: idBytes(inviteKey), issuer: idBytes(issuer) },
  };
}

/** The invite in a message. @throws HoldfastError bad-encoding */
export function inviteFrom(message: InviteMessage): Invite {
  const anyTime = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    inviteKey: idField(message.inviteKey, 32, 'invite key'),
    site: label(message.site, 'site'),
    region: label(message.region, 'region'),
    roles: rolesFrom(message.roles),
    notAfterMs: integer(message.notAfterMs, anyTime, 'end of the invite'),
    issuer: idField(message.issuer, 32, 'issuer'),
  };
}
