import { assertNever } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import type { OperatorChange } from '../format/control-records.ts';
import { decodeDescriptor } from '../format/genesis.ts';
import type { EpochName } from '../format/key-record.ts';
import type { Address, Genesis, Invite, Manifest, Policy, Role } from '../format/records.ts';
import type { Statement, StatementBody } from '../format/statement.ts';
import { type AgentKey, type ClusterId, type DatasetId, type PeerKey, shortId } from '../ids.ts';
import { firstPolicy } from './control/policy-book.ts';
import { type DatasetRule, type PolicyTerms, ruleFor } from '../policy/policy-terms.ts';
import { DatasetBook, type DatasetRecord, type KeyEpoch } from './dataset-book.ts';
import { InviteBook, type InviteState } from './invite-book.ts';
import { admissionObjection, datasetObjection } from './roster-objection.ts';
import { type LogState, LogView } from './log-view.ts';
import { signedInvite } from './signed-invite.ts';
import { type Grant, type InviteProof, type Member, memberOf, rankOf } from './member.ts';
import { memberNamed } from './member-named.ts';

export type { DatasetRecord, KeyEpoch } from './dataset-book.ts';
export type { InviteState } from './invite-book.ts';
export type { Member } from './member.ts';

export type SiteMembers = {
  readonly site: string;
  readonly region: string;
  readonly members: readonly Member[];
};

/**
 * Who belongs to the cluster and what they may say, from the genesis and signed statements alone.
 *
 * Peers learn the sequences of different writers in different orders, and must agree in the end. So what is
 * accepted never depends on the order: knowing more only ever allows more. A statement that lacks something
 * (its writer's admission, its invite, its dataset) is refused now and accepted once that is known. What two
 * honest writers may say at the same moment (two members of one name) is accepted from both; `objection` is
 * what keeps one writer from saying it on top of the other.
 */
export class Roster {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly #invites: InviteBook;
  readonly #datasets = new DatasetBook();
  readonly #log: LogView;
  readonly #provers = new Set<AgentKey>();
  #former = new Map<AgentKey, Member>();
  readonly #grants = new Map<AgentKey, Grant[]>();
  readonly #addresses = new Map<AgentKey, Address>();
  #members = new Map<AgentKey, Member>();
  #byPeer = new Map<PeerKey, Member>();
  #revision = 0;
  #policy: Policy;
  #rules: readonly DatasetRule[] = [];
  #recoveryKey: PeerKey;

  constructor(genesis: Genesis, cluster: ClusterId) {
    this.genesis = genesis;
    this.cluster = cluster;
    this.#policy = genesis.policy;
    this.#rules = firstPolicy(genesis).rules;
    this.#recoveryKey = genesis.recoveryKey;
    this.#invites = new InviteBook(genesis, cluster);
    this.#log = new LogView(genesis);
    const first = { invite: undefined, issuer: undefined };
    this.#grant({ descriptor: genesis.founder, rank: '', ...first });
  }

  /** The newest that the control log has told of; until then that of the genesis. */
  get policy(): Policy {
    return this.#policy;
  }

  /** Takes over what the control log says. Older versions are passed over. */
  adoptPolicy({
    version,
    surviveSites,
    rules = [],
  }: Omit<Policy, 'document'> & Partial<PolicyTerms>): void {
    if (version <= this.#policy.version) return;
    this.#policy = { version, surviveSites };
    this.#rules = rules;
    this.#revision++;
  }

  /** What the policy says of datasets of this name. */
  ruleFor(name: string): DatasetRule {
    return ruleFor({ rules: this.#rules }, name);
  }

  /** What the holder of the kit in force proves on connections: one that was replaced may read no more. */
  adoptRecoveryKey(key: PeerKey): void {
    if (key === this.#recoveryKey) return;
    this.#recoveryKey = key;
    this.#revision++;
  }

  /** Grows with every statement that changed something. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Takes a statement whose envelope was signed by `signers` (32 bytes each) and whose place in its sequence
   * has been checked. When it throws, nothing has changed.
   * @throws HoldfastError unknown-writer | not-permitted | bad-signature | bad-encoding | rollback | not-found
   *   | invite-unknown | invite-used | invite-expired
   */
  apply(statement: Statement, signers: readonly Uint8Array[], hash?: Uint8Array): void {
    this.prepare(statement, signers, hash)();
  }

  /**
   * As `apply`, in two steps: checks now, and returns what makes the change. Between them the statement can
   * be made durable. Nothing else may be applied in between.
   */
  prepare(statement: Statement, signers: readonly Uint8Array[], hash?: Uint8Array): () => void {
    const keys = new Set(signers.map(toHex));
    const { writer } = statement;
    if (!keys.has(writer)) {
      throw new HoldfastError('bad-signature', 'a statement is not signed by its writer');
    }
    if (!this.isOperator(writer) && this.anybody(writer) === undefined) {
      throw new HoldfastError('unknown-writer', `${shortId(writer)} is not known here`);
    }
    const proof = { hash: hash === undefined ? '' : toHex(hash), signers: keys };
    const change = this.#change(statement, proof);
    return () => {
      change();
      this.#revision++;
    };
  }

  #change(statement: Statement, proof: InviteProof): () => void {
    const { body, writer, sequence, timeMs } = statement;
    switch (body.kind) {
      case 'invite':
        this.#log.requireInviters(writer, proof.signers);
        this.#invites.checkInvite(body, timeMs);
        return () => this.#invites.add(body, proof);
      case 'admission': {
        this.#requireMember(writer, body.kind);
        const { state, descriptor } = this.#invites.checkAdmission(body, writer, timeMs);
        return () => {
          state.usedBy = { agent: descriptor.statementKey, descriptor: body.descriptor };
          const from = { invite: state.proof, issuer: writer };
          this.#grant({ descriptor, rank: rankOf(writer, sequence), ...from });
        };
      }
      case 'address':
        this.#requireMember(writer, body.kind);
        this.#requireStill(writer, body.kind);
        return () => {
          this.#addresses.set(writer, body);
          this.#rebuild();
        };
      case 'dataset':
        this.#requireMember(writer, body.kind, 'source');
        this.#datasets.checkDataset(body, writer);
        return () => this.#datasets.addDataset(body, writer, timeMs);
      case 'manifest':
        this.#requireMember(writer, body.kind, 'source');
        this.#requireCounted(writer, body);
        this.#datasets.checkManifest(body, statement);
        return () => this.#datasets.addManifest(body, writer);
      case 'receipt':
        this.#requireMember(writer, body.kind, 'storage');
        this.#requireStill(writer, body.kind, 'storage');
        return () => {};
      case 'proved-invite': {
        this.#requireMember(writer, body.kind);
        return this.#provedInviteChange(statement, proof);
      }
      case 'drill':
        this.#requireMember(writer, body.kind);
        this.#requireStill(writer, body.kind);
        return () => {};
      case 'operators':
        this.#requireMember(writer, body.kind);
        return this.#operatorsChange(writer, body.evidence);
      default:
        return assertNever(body);
    }
  }

  /**
   * Why `writer` should not say this on top of what is known here, though it has the authority. For statements
   * that are about to be made; those of others are accepted regardless (see the class).
   */
  objection(body: StatementBody): HoldfastError | undefined {
    if (body.kind === 'admission')
      return admissionObjection(this.members(), decodeDescriptor(body.descriptor));
    if (body.kind === 'dataset') return datasetObjection(this.datasets(), body);
    if (body.kind !== 'invite') return undefined;
    if (this.#invites.of(body.inviteKey).length > 0) return refusal('this invite exists already');
    if (this.#members.has(body.issuer)) return undefined;
    return refusal('the issuer of the invite is no member');
  }

  /** Whoever is an operator, or was one: what they have said before stays said. */
  isOperator(key: AgentKey): boolean {
    return this.#log.isOperator(key);
  }

  /** Whoever is a member, or was one. */
  anybody(agent: AgentKey): Member | undefined {
    return this.#members.get(agent) ?? this.#former.get(agent);
  }

  /** Operators of now. */
  get operators(): OperatorChange {
    return this.#log.operators();
  }

  /** See LogView. */
  get log(): Pick<LogView, 'isCounted' | 'cut' | 'isInForce' | 'requireEnough'> {
    return this.#log;
  }

  /** Takes over who the control log says may do what. @returns whether members may have changed. */
  adoptLog(state: LogState): boolean {
    if (!this.#log.adopt(state)) return false;
    this.#rebuild();
    this.#revision++;
    return true;
  }

  /** All members, by site and name. */
  members(): readonly Member[] {
    return [...this.#members.values()];
  }

  member(agent: AgentKey): Member | undefined {
    return this.#members.get(agent);
  }

  memberByPeer(peer: PeerKey): Member | undefined {
    return this.#byPeer.get(peer);
  }

  /** By name, or by the first 4 or more characters of either key. @throws HoldfastError not-found | ambiguous */
  memberByName(text: string): Member {
    return memberNamed(this.members(), text);
  }

  /** Sites with their members, by name. A site's region is that of its first member. */
  sites(): readonly SiteMembers[] {
    const bySite = Map.groupBy(this.members(), (member) => member.site);
    return [...bySite].map(([site, members]) => ({
      site,
      region: members[0]?.region ?? '',
      members,
    }));
  }

  /** Invites that can still be redeemed. `nowMs`: wall time of this host. */
  openInvites(nowMs: number): readonly Invite[] {
    return this.#invites
      .all()
      .filter(({ proof }) => this.#log.isInForce(proof))
      .filter(({ invite, usedBy }) => usedBy === undefined && nowMs <= invite.notAfterMs)
      .map(({ invite }) => invite);
  }

  /** Agents that have admitted others or told of operators, and whoever is or was one of these. */
  provers(): ReadonlySet<AgentKey> {
    const used = this.#invites.all().filter(({ usedBy }) => usedBy !== undefined);
    const operators = this.#log.versions().flatMap((version) => version.operators);
    return new Set([
      ...operators.map(({ key }) => key),
      ...used.map(({ invite }) => invite.issuer),
      ...this.#provers,
    ]);
  }

  /** Statements have told of this version of the operators. */
  isTold(version: OperatorChange): boolean {
    return this.#log.isTold(version);
  }

  /** A statement has told of an invite of this key, whether or not it still admits. */
  isInvited(inviteKey: PeerKey): boolean {
    return this.#invites.of(inviteKey).length > 0;
  }

  /** What is known of the invites of one key that still admit; usually one. */
  invitesOf(inviteKey: PeerKey): readonly InviteState[] {
    return this.#invites.of(inviteKey).filter(({ proof }) => this.#log.isInForce(proof));
  }

  /**
   * As what this peer may be connected. An invite's key may be until the invite ends, also when it has been
   * used: a joiner whose answer was lost asks again, and a second user of a code must be told why it is refused.
   */
  mayConnect(peer: PeerKey, nowMs: number): 'member' | 'invite' | 'recovery' | undefined {
    if (this.#byPeer.has(peer)) return 'member';
    if (peer === this.#recoveryKey) return 'recovery';
    const isInvited = this.invitesOf(peer).some(({ invite }) => nowMs <= invite.notAfterMs);
    return isInvited ? 'invite' : undefined;
  }

  datasets(): readonly DatasetRecord[] {
    return this.#datasets.all();
  }

  /** The dataset that a writer means by this id: another's claim to it does not count. */
  datasetOf(writer: AgentKey, id: DatasetId): DatasetRecord | undefined {
    return this.#datasets.of(writer, id);
  }

  /** Key epochs of a writer's dataset, oldest first. */
  epochsOf(writer: AgentKey, id: DatasetId): readonly KeyEpoch[] {
    return this.#datasets.epochsOf(writer, id);
  }

  keyEpoch(name: EpochName): KeyEpoch | undefined {
    return this.#datasets.epoch(name);
  }

  /** By id, unique name, or id prefix. @throws HoldfastError not-found | ambiguous */
  dataset(text: string, records = this.#datasets.all()): DatasetRecord {
    return this.#datasets.find(text, records);
  }

  #provedInviteChange(statement: Statement, { hash }: InviteProof): () => void {
    const found = signedInvite({ statement, signers: [] }, this.cluster);
    if (found === undefined) throw refusal('this evidence is about no invite of its writer');
    const { invited, signers, timeMs } = found;
    this.#log.requireEnough(signers);
    this.#invites.checkInvite(invited, timeMs);
    return () => this.#invites.add(invited, { hash, signers });
  }

  #operatorsChange(writer: AgentKey, evidence: readonly Uint8Array[]): () => void {
    const version = this.#log.provedBy(evidence, this.cluster);
    return () => {
      this.#provers.add(writer);
      this.#log.tell(version);
      this.#rebuild();
    };
  }

  /** Who was put out, or has lost a role, says nothing more. */
  #requireStill(writer: AgentKey, kind: StatementBody['kind'], role?: Role): void {
    const member = this.#members.get(writer);
    if (member !== undefined && (role === undefined || member.hasRole(role))) return;
    const { name = shortId(writer) } = this.#former.get(writer) ?? member ?? {};
    const lacks = member === undefined ? 'is no member any more' : `has lost the role ${role}`;
    throw refusal(`"${name}" ${lacks}, and may not write: ${kind}`);
  }

  #requireCounted(writer: AgentKey, { dataset, sequence }: Manifest): void {
    if (this.#log.isCounted(writer, dataset, sequence)) return;
    const name = this.#former.get(writer)?.name ?? this.#members.get(writer)?.name ?? '?';
    throw refusal(`"${name}" may write no snapshots any more, and the log has not seen this one`);
  }

  #requireMember(writer: AgentKey, kind: StatementBody['kind'], role?: Role): void {
    const member = this.anybody(writer);
    if (member === undefined) throw refusal(`an operator may not write: ${kind}`);
    // Roles that were taken since are judged where it matters, by the order of the log.
    const ever = this.#grants.get(writer)?.flatMap(({ descriptor }) => descriptor.roles) ?? [];
    if (role !== undefined && !member.hasRole(role) && !ever.includes(role)) {
      throw refusal(`"${member.name}" has not the role ${role}, which this needs: ${kind}`);
    }
  }

  #grant(grant: Grant): void {
    const agent = grant.descriptor.statementKey;
    this.#grants.set(agent, [...(this.#grants.get(agent) ?? []), grant]);
    this.#rebuild();
  }

  #rebuild(): void {
    const all = [...this.#grants].map(([agent, grants]) => {
      const counted = grants.filter((grant) => this.#log.counts(grant));
      const isMember = counted.length > 0 && !this.#log.isExpelled(agent);
      const address = this.#addresses.get(agent);
      return {
        isMember,
        rank: grants.map(({ rank }) => rank).sort()[0] ?? '',
        member: memberOf(isMember ? counted : grants, address, this.#log.record(agent)),
      };
    });
    const members = all.filter(({ isMember }) => isMember);
    const former = all.filter(({ isMember }) => !isMember);
    this.#former = new Map(former.map(({ member }) => [member.agentKey, member]));
    // Two members may claim one transport key only if their issuers did not know of each other yet.
    members.sort((a, b) => (a.rank < b.rank ? 1 : -1));
    this.#byPeer = new Map(members.map(({ member }) => [member.peerKey, member]));
    const place = (member: Member): string => `${member.site}\n${member.name}\n${member.agentKey}`;
    members.sort((a, b) => (place(a.member) < place(b.member) ? -1 : 1));
    this.#members = new Map(members.map(({ member }) => [member.agentKey, member]));
  }
}

function refusal(why: string): HoldfastError {
  return new HoldfastError('not-permitted', why);
}
