import type { MessageInitShape } from '@bufbuild/protobuf';
import { idBytes } from '../ids.ts';
import { atMost, idField, integer, label, malformed, textLike } from './field.ts';
import type {
  AgentDescriptorSchema,
  AgentDescriptor as DescriptorMessage,
} from './gen/holdfast/v1/cluster_pb.js';
import type { Contact as ContactMessage, ContactSchema } from './gen/holdfast/v1/exchange_pb.js';
import { type AgentDescriptor, type Contact, isRole, type Role, roles } from './records.ts';

/** Addresses of one agent: a host rarely listens on more. */
export const multiaddrsMax = 16;

const multiaddrPattern = /^\/[\x21-\x7e]{1,255}$/;

/** True when the text may be a multiaddr: what it means is for the network to say. */
export function isMultiaddr(text: string): boolean {
  return multiaddrPattern.test(text);
}

/** Addresses as they came. @throws HoldfastError bad-encoding */
export function multiaddrsFrom(texts: string[]): string[] {
  for (const text of atMost(texts, multiaddrsMax, 'addresses')) {
    textLike(text, multiaddrPattern, 'address');
  }
  return texts;
}

/** Known roles, each once, at least one. @throws HoldfastError bad-encoding */
export function rolesFrom(texts: string[]): Role[] {
  integer(texts.length, { min: 1, max: roles.length }, 'count of roles');
  if (new Set(texts).size !== texts.length) throw malformed('a role is named twice');
  return texts.map((text) => {
    if (!isRole(text)) throw malformed(`role is not one of ${roles.join(', ')}`);
    return text;
  });
}

// X25519 recipients have 62 characters, hybrid ones 1959 (C2SP age.md, age1pq1).
const recipientPattern = /^age1[a-z0-9]{20,4000}$/;

/** An age recipient by its look. @throws HoldfastError bad-encoding */
export function recipientFrom(text: string): string {
  return textLike(text, recipientPattern, 'recipient');
}

/** The message of a descriptor. */
export function descriptorMessage(
  descriptor: AgentDescriptor,
): MessageInitShape<typeof AgentDescriptorSchema> {
  return {
    ...descriptor,
    roles: [...descriptor.roles],
    transportKey: idBytes(descriptor.transportKey),
    statementKey: idBytes(descriptor.statementKey),
  };
}

/** The descriptor in a message. @throws HoldfastError bad-encoding */
export function descriptorFrom(message: DescriptorMessage): AgentDescriptor {
  return {
    name: label(message.name, 'agent name'),
    site: label(message.site, 'site'),
    region: label(message.region, 'region'),
    roles: rolesFrom(message.roles),
    transportKey: idField(message.transportKey, 32, 'transport key'),
    statementKey: idField(message.statementKey, 32, 'statement key'),
  };
}

/** The message of a contact. */
export function contactMessage(contact: Contact): MessageInitShape<typeof ContactSchema> {
  return { transportKey: idBytes(contact.peer), multiaddrs: [...contact.multiaddrs] };
}

/** The contact in a message. @throws HoldfastError bad-encoding */
export function contactFrom(message: ContactMessage): Contact {
  return {
    peer: idField(message.transportKey, 32, 'transport key'),
    multiaddrs: multiaddrsFrom(message.multiaddrs),
  };
}
