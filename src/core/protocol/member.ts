import type { Address, AgentDescriptor, Role } from '../format/records.ts';
import type { AgentKey, PeerKey } from '../ids.ts';
import { type ControlMember, revokedRoles } from './control/member-book.ts';

/** An agent of the cluster, with what it says of itself. */
export type Member = AgentDescriptor & {
  /** The same as `statementKey`. */
  readonly agentKey: AgentKey;
  /** The same as `transportKey`. */
  readonly peerKey: PeerKey;
  /** Multiaddrs without the peer id; empty until the agent has said any. */
  readonly addresses: readonly string[];
  /** Of its program; empty until it has said so. */
  readonly version: string;
  hasRole(role: Role): boolean;
};

/** Whether others may follow the control log through this member, and have it pass on what they ask of the leader. */
export function mayRelay({ hasRole }: Pick<Member, 'hasRole'>): boolean {
  return hasRole('relay') || hasRole('voter') || hasRole('witness');
}

/** A grant of membership: the genesis gives one, each admission one. */
export type Grant = {
  readonly descriptor: AgentDescriptor;
  /**
   * Orders grants alike everywhere, in whatever order they are learnt: empty for the founder, else the
   * issuer's key and the place in its sequence.
   */
  readonly rank: string;
  /** What has admitted it, and who has said so; undefined for the founder. */
  readonly invite: InviteProof | undefined;
  readonly issuer: AgentKey | undefined;
};

/** An invite as it was signed. */
export type InviteProof = {
  /** Of the statement, hexadecimal. */
  readonly hash: string;
  readonly signers: ReadonlySet<string>;
};

/** The rank of an admission. */
export function rankOf(issuer: AgentKey, sequence: number): string {
  return `${issuer}/${String(sequence).padStart(16, '0')}`;
}

/**
 * A member out of its grants (at least one, of one statement key): the lowest rank names it, and what any
 * of them allows, it may do. So a later grant never takes away what others have relied on. What operators have
 * decided in the control log goes before all of them.
 */
export function memberOf(
  grants: readonly Grant[],
  address: Address | undefined,
  decided: Pick<ControlMember, 'roles' | 'revocations'> | undefined,
): Member {
  const ordered = grants.toSorted((a, b) => (a.rank < b.rank ? -1 : 1));
  const { descriptor } = ordered[0] as Grant;
  const given = [...(decided?.roles ?? []), ...ordered.flatMap((one) => one.descriptor.roles)];
  const revoked = decided === undefined ? [] : revokedRoles(decided);
  const roles = [...new Set(given)].filter((role) => !revoked.includes(role));
  return {
    ...descriptor,
    roles,
    agentKey: descriptor.statementKey,
    peerKey: descriptor.transportKey,
    addresses: address?.multiaddrs ?? [],
    version: address?.version ?? '',
    hasRole: (role) => roles.includes(role),
  };
}
