import type { MessageInitShape } from '@bufbuild/protobuf';
import { toHex } from '../../../base/bytes.ts';
import type { BodyOf, OperatorChange } from '../../format/control-records.ts';
import type { MemberImage, MemberImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import type { AgentDescriptor, Genesis, Role } from '../../format/records.ts';
import type { AgentKey, ClusterId, PeerKey } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { InviteBook } from '../invite-book.ts';
import { signedInvite } from '../signed-invite.ts';
import { type OpenedStatement, openStatement } from '../opened-statement.ts';
import { memberFromImage, memberImage } from './member-image.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** A member as the log knows it. */
export type ControlMember = {
  readonly agent: AgentKey;
  readonly peer: PeerKey;
  readonly name: string;
  readonly site: string;
  readonly region: string;
  /** What any of its admissions allows. */
  readonly roles: readonly Role[];
  /** Hashes of the invite statements that have admitted it; none for the founder. */
  readonly invites: readonly string[];
  /** Of the entry that admitted it first; 0 for the founder. */
  readonly index: number;
  /** A decree has taken its vote, and operators have not given it back. */
  readonly isAbandoned: boolean;
  /** Of each role that operators have taken: no invite gives it back. */
  readonly revocations: readonly Revocation[];
  /** It was put out of the cluster, and is no member any more. */
  readonly expulsion: Expulsion | undefined;
};

/** The entry that has taken something from a member. */
type Taking = {
  readonly generation: number;
  readonly index: number;
  readonly authors: readonly AgentKey[];
  /** By the operators' clock, for people. */
  readonly timeMs: number;
};

export type Revocation = Taking & { readonly role: Role };

export type Expulsion = Taking & {
  readonly reason: string;
  /** Envelopes that together hold the command and its signatures: what the member itself is told. */
  readonly evidence: readonly Uint8Array[];
};

/**
 * The members, as far as the log has admitted them. Everything inside an admit command is signed by those who
 * decided, so which voter appends it does not matter.
 */
export class MemberBook {
  readonly #genesis: Genesis;
  readonly #cluster: ClusterId;
  #members = new Map<AgentKey, ControlMember>();
  #revision = 0;

  constructor(genesis: Genesis, cluster: ClusterId) {
    this.#genesis = genesis;
    this.#cluster = cluster;
    this.#set(memberFrom(genesis.founder, 0));
  }

  /** Another number after each change. */
  get revision(): number {
    return this.#revision;
  }

  /** Sorted by key. */
  all(): readonly ControlMember[] {
    return this.everyone().filter(({ expulsion }) => expulsion === undefined);
  }

  /** Names of the sites, sorted. */
  sites(): readonly string[] {
    return [...new Set(this.all().map(({ site }) => site))].sort();
  }

  /** Those put out of the cluster, too. Sorted by key. */
  everyone(): readonly ControlMember[] {
    return [...this.#members.values()].sort((a, b) => (a.agent < b.agent ? -1 : 1));
  }

  of(agent: AgentKey): ControlMember | undefined {
    const member = this.#members.get(agent);
    return member?.expulsion === undefined ? member : undefined;
  }

  /** Whoever is or was a member. */
  record(agent: AgentKey): ControlMember | undefined {
    return this.#members.get(agent);
  }

  /** Why this agent may not be a voter; undefined when it may. */
  voterObjection(agent: AgentKey): string | undefined {
    const member = this.of(agent);
    if (member === undefined) return `${agent.slice(0, 8)} is no member`;
    if (member.isAbandoned) return `"${member.name}" was abandoned by a decree`;
    return member.roles.some(mayVoteAs)
      ? undefined
      : `"${member.name}" has neither the role voter nor witness`;
  }

  /** Judges the two statements in an admit command. @throws HoldfastError (any code of InviteBook, too) */
  checkAdmit(body: BodyOf<'admit'>, authority: OperatorChange, place: CommandPlace): Change {
    const invite = openStatement(body.invite, this.#cluster);
    const admission = openStatement(body.admission, this.#cluster);
    const { descriptor, issuer } = this.#judge(invite, admission, authority);
    if (this.of(issuer) === undefined) throw refusal('the issuer of the invite is no member');
    const used = toHex(invite.hash);
    const isUsed = (member: ControlMember): boolean => member.invites.includes(used);
    const known = this.#members.get(descriptor.statementKey);
    if (known?.expulsion !== undefined) throw refusal(`"${known.name}" was put out of the cluster`);
    if (known !== undefined && isUsed(known)) throw refusal(`"${known.name}" is known already`);
    if (this.everyone().some(isUsed)) throw refusal('the invite has admitted another agent');
    if (known === undefined) this.#requireRoom(descriptor);
    const member = known ?? memberFrom(descriptor, place.index);
    const revoked = revokedRoles(member);
    const given = descriptor.roles.filter((role) => !revoked.includes(role));
    const roles = [...new Set([...member.roles, ...given])];
    return () => this.#set({ ...member, roles, invites: [...member.invites, used] });
  }

  /**
   * Nothing changes here: the issuer tells of it in a statement, which admits like any other invite. Signed at one
   * place it needs no log.
   * @throws HoldfastError not-permitted
   */
  checkProposedInvite(body: BodyOf<'invite'>, { isRipe, timeMs }: CommandPlace): Change {
    if (isRipe !== true) throw refusal('an invite that all sign at once is a statement');
    if (this.of(body.issuer) === undefined) throw refusal('the issuer of the invite is no member');
    new InviteBook(this.#genesis, this.#cluster).checkInvite(body, timeMs);
    return () => {};
  }

  /** @throws HoldfastError not-permitted */
  checkRoles(
    { agent, add, remove }: BodyOf<'roles'>,
    authors: readonly AgentKey[],
    { generation, index, timeMs }: CommandPlace,
  ): Change {
    const member = this.#require(agent);
    const kept = member.roles.filter((role) => !remove.includes(role));
    const roles = [...new Set([...kept, ...add])];
    if (roles.length === 0) throw refusal('an agent without a role is put out of the cluster');
    const before = revokedRoles(member);
    const taken = before.filter((role) => !add.includes(role));
    const revoked = [...new Set([...taken, ...remove])];
    const isSame = String([roles, revoked]) === String([member.roles, before]);
    // Whom a decree has given up is given its vote anew: by then it follows the new generation, or cannot be reached.
    const isBack = member.isAbandoned && add.some(mayVoteAs);
    if (isSame && !isBack) throw refusal(`"${member.name}" has these roles already`);
    this.#requireVoters(member, roles);
    const known = new Map(member.revocations.map((one) => [one.role, one]));
    const now = { generation, index, timeMs, authors };
    const revocations = revoked.map((role) => known.get(role) ?? { ...now, role });
    const isAbandoned = member.isAbandoned && !isBack;
    return () => this.#set({ ...member, roles, revocations, isAbandoned });
  }

  /** @throws HoldfastError not-permitted */
  checkExpel(
    { agent, reason }: BodyOf<'expel'>,
    authors: readonly AgentKey[],
    { generation, index, timeMs, evidence }: CommandPlace,
  ): Change {
    const member = this.#require(agent);
    this.#requireVoters(member, []);
    const expulsion = { generation, index, timeMs, reason, authors, evidence };
    return () => this.#set({ ...member, expulsion });
  }

  #require(agent: AgentKey): ControlMember {
    const member = this.of(agent);
    if (member === undefined) throw refusal(`${agent.slice(0, 8)} is no member`);
    return member;
  }

  /** Without anybody who may vote nothing could be decided any more. */
  #requireVoters(changed: ControlMember, roles: readonly Role[]): void {
    const others = this.all().filter(({ agent }) => agent !== changed.agent);
    const canVote = others.some(({ agent }) => this.voterObjection(agent) === undefined);
    if (canVote || roles.some(mayVoteAs)) return;
    throw refusal('nobody would be left who may vote');
  }

  /** Takes away votes, until operators give them anew: see a decree. */
  abandon(agents: readonly AgentKey[]): void {
    for (const agent of agents) {
      const member = this.#members.get(agent);
      if (member !== undefined) this.#set({ ...member, isAbandoned: true });
    }
  }

  image(): MessageInitShape<typeof MemberImageSchema>[] {
    return this.everyone().map(memberImage);
  }

  load(images: readonly MemberImage[]): void {
    this.#members = new Map();
    for (const image of images) this.#set(memberFromImage(image));
  }

  /** The rules of joining, as every peer applies them to statements: see InviteBook. */
  #judge(
    invite: OpenedStatement,
    admission: OpenedStatement,
    { operators, threshold }: OperatorChange,
  ): { descriptor: AgentDescriptor; issuer: AgentKey } {
    const { body: admitted, writer: issuer } = admission.statement;
    const signed = signedInvite(invite, this.#cluster);
    if (signed === undefined || admitted.kind !== 'admission') {
      throw refusal('these statements are no invite and admission');
    }
    const { invited, signers, timeMs } = signed;
    const { body, writer } = invite.statement;
    const isInSequence = body.kind !== 'invite' || operators.some(({ key }) => key === writer);
    const count = operators.filter(({ key }) => signers.has(key)).length;
    if (count < threshold || !isInSequence)
      throw refusal('the invite is not signed by enough operators');
    const book = new InviteBook(this.#genesis, this.#cluster);
    book.checkInvite(invited, timeMs);
    book.add(invited);
    return { issuer, ...book.checkAdmission(admitted, issuer, admission.statement.timeMs) };
  }

  /** Here, unlike in the roster, one member comes before the other: the second of a name is refused. */
  #requireRoom(descriptor: AgentDescriptor): void {
    const { name, statementKey, transportKey } = descriptor;
    const members = this.everyone();
    if (this.all().length >= limits.membersMax) throw refusal('the cluster is full');
    if (this.all().some((member) => member.name === name)) {
      throw refusal(`another member is called "${name}"`);
    }
    const inUse = new Set<string>(members.flatMap(({ agent, peer }) => [agent, peer]));
    if (inUse.has(statementKey) || inUse.has(transportKey)) {
      throw refusal(`a key of "${name}" belongs to another member`);
    }
  }

  #set(member: ControlMember): void {
    this.#revision++;
    this.#members.set(member.agent, member);
  }
}

/** Roles that operators have taken from a member, oldest first. */
export function revokedRoles({ revocations }: Pick<ControlMember, 'revocations'>): Role[] {
  return revocations.map(({ role }) => role);
}

/** Whether an agent with this role may be a voter. */
export function mayVoteAs(role: Role): boolean {
  return role === 'voter' || role === 'witness';
}

function memberFrom(descriptor: AgentDescriptor, index: number): ControlMember {
  const { name, site, region, roles, statementKey, transportKey } = descriptor;
  const keys = { agent: statementKey, peer: transportKey };
  const untouched = { isAbandoned: false, revocations: [], expulsion: undefined };
  return { ...keys, name, site, region, roles, invites: [], index, ...untouched };
}
