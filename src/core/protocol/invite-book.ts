import { isAcceptableKey, verify } from '../crypto/signature.ts';
import { HoldfastError } from '../errors.ts';
import { admissionMessage, decodeDescriptor } from '../format/genesis.ts';
import type { Admission, AgentDescriptor, Genesis, Invite } from '../format/records.ts';
import { type AgentKey, type ClusterId, idBytes, type PeerKey } from '../ids.ts';
import { limits } from '../limits.ts';
import type { InviteProof } from './member.ts';

/** An invite and what became of it. */
export type InviteState = {
  readonly invite: Invite;
  readonly proof: InviteProof;
  /** The one admission that it was good for. */
  usedBy: { readonly agent: AgentKey; readonly descriptor: Uint8Array } | undefined;
};

/** Of an invite whose signers somebody else has judged. */
const unproved: InviteProof = { hash: '', signers: new Set() };

/** Invites by the key that redeems them, and the rules of redeeming. */
export class InviteBook {
  readonly #genesis: Genesis;
  readonly #cluster: ClusterId;
  /** An operator may, by mistake, name one key twice: an admission counts if any of them allows it. */
  readonly #states = new Map<PeerKey, InviteState[]>();

  constructor(genesis: Genesis, cluster: ClusterId) {
    this.#genesis = genesis;
    this.#cluster = cluster;
  }

  all(): readonly InviteState[] {
    return [...this.#states.values()].flat();
  }

  /** The invites of one key, in no order; usually one. */
  of(inviteKey: PeerKey): readonly InviteState[] {
    return this.#states.get(inviteKey) ?? [];
  }

  add(invite: Invite, proof: InviteProof = unproved): void {
    const states = this.#states.get(invite.inviteKey) ?? [];
    this.#states.set(invite.inviteKey, [...states, { invite, proof, usedBy: undefined }]);
  }

  /** @throws HoldfastError not-permitted */
  checkInvite(invite: Invite, timeMs: number): void {
    this.#checkKey(invite.inviteKey, 'the invite key');
    const lifeMs = invite.notAfterMs - timeMs;
    if (lifeMs <= 0 || lifeMs > limits.inviteTtlMaxMs) {
      throw new HoldfastError('not-permitted', 'an invite must end within a day of its making', {
        details: { lifeMs, lifeMsMax: limits.inviteTtlMaxMs },
      });
    }
  }

  /**
   * Whether `issuer` may admit this agent. @returns the invite to mark, and who joins.
   * @throws HoldfastError invite-unknown | invite-used | invite-expired | not-permitted | bad-signature
   */
  checkAdmission(
    admission: Admission,
    issuer: AgentKey,
    timeMs: number,
  ): { state: InviteState; descriptor: AgentDescriptor } {
    const descriptor = decodeDescriptor(admission.descriptor);
    const state = this.#redeemable(admission.inviteKey, issuer, descriptor);
    if (timeMs > state.invite.notAfterMs) {
      throw new HoldfastError('invite-expired', 'the invite had ended when it was used', {
        next: 'holdfast invite',
      });
    }
    const { transportKey, statementKey } = descriptor;
    this.#checkKey(transportKey, 'the transport key');
    this.#checkKey(statementKey, 'the statement key');
    const keys = new Set<string>([transportKey, statementKey, admission.inviteKey]);
    if (keys.size < 3) throw refused('one key may not serve two purposes');
    this.#checkSignatures(admission, descriptor);
    return { state, descriptor };
  }

  #redeemable(inviteKey: PeerKey, issuer: AgentKey, descriptor: AgentDescriptor): InviteState {
    const states = this.of(inviteKey);
    if (states.length === 0) {
      throw new HoldfastError('invite-unknown', 'no operator has made this invite', {
        next: 'holdfast invite',
      });
    }
    const own = states.filter(({ invite }) => invite.issuer === issuer);
    if (own.length === 0) throw refused('the invite names another issuer');
    const unused = own.filter(({ usedBy }) => usedBy === undefined);
    if (unused.length === 0) {
      throw new HoldfastError('invite-used', 'the invite has admitted an agent before', {
        next: 'holdfast invite',
      });
    }
    const fitting = unused.find(({ invite }) => isInvited(invite, descriptor));
    if (fitting !== undefined) return fitting;
    const { site, region, roles } = (unused[0] as InviteState).invite;
    throw refused(`the invite is for site ${site}, region ${region}, roles ${roles.join(', ')}`);
  }

  #checkKey(key: PeerKey | AgentKey, what: string): void {
    if (!isAcceptableKey(idBytes(key))) throw refused(`${what} is no acceptable key`);
    const { operators, recoveryKey } = this.#genesis;
    const reserved: string[] = [recoveryKey, ...operators.map((operator) => operator.key)];
    if (reserved.includes(key)) throw refused(`${what} belongs to an operator or the recovery kit`);
  }

  #checkSignatures(admission: Admission, descriptor: AgentDescriptor): void {
    const message = admissionMessage(this.#cluster, admission.descriptor);
    if (!verify(idBytes(admission.inviteKey), message, admission.inviteSignature)) {
      throw new HoldfastError('bad-signature', 'the invite key has not signed this admission');
    }
    if (!verify(idBytes(descriptor.statementKey), message, admission.agentSignature)) {
      throw new HoldfastError('bad-signature', 'the agent has not signed its own admission');
    }
  }
}

function isInvited(invite: Invite, descriptor: AgentDescriptor): boolean {
  const asked = new Set(descriptor.roles);
  return (
    invite.site === descriptor.site &&
    invite.region === descriptor.region &&
    invite.roles.length === asked.size &&
    invite.roles.every((role) => asked.has(role))
  );
}

function refused(why: string): HoldfastError {
  return new HoldfastError('not-permitted', `admission refused: ${why}`);
}
