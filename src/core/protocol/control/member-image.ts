import { toHex } from '../../../base/bytes.ts';
import { hexBytes } from '../../format/control-field.ts';
import { idField } from '../../format/field.ts';
import {
  type ExpulsionImage,
  type MemberImage,
  MemberImageSchema,
  type RevocationImage,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { rolesFrom } from '../../format/member.ts';
import type { Role } from '../../format/records.ts';
import { type AgentKey, idBytes } from '../../ids.ts';
import { commandOfEvidence } from './evidence.ts';
import type { ControlMember, Expulsion, Revocation } from './member-book.ts';
import { imageOnce } from './record-image.ts';

/** The message of a member. */
export const memberImage = imageOnce(MemberImageSchema, (member: ControlMember) => ({
  ...member,
  agent: idBytes(member.agent),
  peer: idBytes(member.peer),
  roles: [...member.roles],
  invites: member.invites.map(hexBytes),
  index: BigInt(member.index),
  revoked: member.revocations.map(revocationImage),
  ...(member.expulsion === undefined
    ? { expulsion: undefined }
    : { expulsion: expulsionImage(member.expulsion) }),
}));

/** The member in an image. @throws HoldfastError bad-encoding */
export function memberFromImage(message: MemberImage): ControlMember {
  const { name, site, region, isAbandoned, ...image } = message;
  return {
    agent: idField(image.agent, 32, 'agent'),
    peer: idField(image.peer, 32, 'peer'),
    roles: rolesFrom(image.roles),
    revocations: revocationsFrom(image.revoked),
    expulsion: image.expulsion === undefined ? undefined : expulsionFrom(image.expulsion),
    invites: image.invites.map(toHex),
    index: Number(image.index),
    ...{ name, site, region, isAbandoned },
  };
}

function revocationImage({ role, generation, index, timeMs, authors }: Revocation) {
  const place = { generation: BigInt(generation), index: BigInt(index), timeMs: BigInt(timeMs) };
  return { role, ...place, authors: authors.map(idBytes) };
}

function revocationsFrom(images: readonly RevocationImage[]): readonly Revocation[] {
  const roles = images.length === 0 ? [] : rolesFrom(images.map(({ role }) => role));
  return images.map(({ generation, index, timeMs, authors }, i) => ({
    ...{ role: roles[i] as Role, generation: Number(generation), index: Number(index) },
    ...{ timeMs: Number(timeMs), authors: authors.map(operatorFrom) },
  }));
}

function expulsionImage({ generation, index, reason, authors, evidence }: Expulsion) {
  const place = { generation: BigInt(generation), index: BigInt(index) };
  return { ...place, reason, authors: authors.map(idBytes), evidence: [...evidence] };
}

function expulsionFrom({
  generation,
  index,
  reason,
  authors,
  ...image
}: ExpulsionImage): Expulsion {
  const evidence = image.evidence.map((envelope) => envelope.slice());
  return {
    ...{ generation: Number(generation), index: Number(index), reason, evidence },
    ...{ authors: authors.map(operatorFrom), timeMs: commandOfEvidence(evidence).timeMs },
  };
}

function operatorFrom(bytes: Uint8Array): AgentKey {
  return idField<AgentKey>(bytes, 32, 'operator');
}
