import { assertNever } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import { decodeDescriptor } from '../format/genesis.ts';
import type { EpochName } from '../format/key-record.ts';
import type { Address, AgentDescriptor, Genesis, Invite, Policy, Role } from '../format/records.ts';
import type { Statement, StatementBody } from '../format/statement.ts';
import { type AgentKey, type ClusterId, type DatasetId, type PeerKey, shortId } from '../ids.ts';
import { limits } from '../limits.ts';
import { DatasetBook, type DatasetRecord, type KeyEpoch } from './dataset-book.ts';
import { InviteBook, type InviteState } from './invite-book.ts';
import { type Grant, type Member, memberOf, rankOf } from './member.ts';

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
  readonly #grants = new Map<AgentKey, Grant[]>();
  readonly #addresses = new Map<AgentKey, Address>();
  #members = new Map<AgentKey, Member>();
  #byPeer = new Map<PeerKey, Member>();
  #revision = 0;
  #policy: Policy;
  #recoveryKey: PeerKey;

  constructor(genesis: Genesis, cluster: ClusterId) {
    this.genesis = genesis;
    this.cluster = cluster;
    this.#policy = genesis.policy;
    this.#recoveryKey = genesis.recoveryKey;
    this.#invites = new InviteBook(genesis, cluster);
    this.#grant({ descriptor: genesis.founder, rank: '' });
  }

  /** The newest that the control log has told of; until then that of the genesis. */
  get policy(): Policy {
    return this.#policy;
  }

  /** Takes over what the control log says. Older versions are passed over. */
  adoptPolicy({ version, surviveSites }: Policy): void {
    if (version <= this.#policy.version) return;
    this.#policy = { version, surviveSites };
    this.#revision++;
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
  apply(statement: Statement, signers: readonly Uint8Array[]): void {
    this.prepare(statement, signers)();
  }

  /**
   * As `apply`, in two steps: checks now, and returns what makes the change. Between them the statement can
   * be made durable. Nothing else may be applied in between.
   */
  prepare(statement: Statement, signers: readonly Uint8Array[]): () => void {
    const keys = new Set(signers.map(toHex));
    const { writer } = statement;
    if (!keys.has(writer)) {
      throw new HoldfastError('bad-signature', 'a statement is not signed by its writer');
    }
    if (!this.isOperator(writer) && !this.#members.has(writer)) {
      throw new HoldfastError('unknown-writer', `${shortId(writer)} is not known here`);
    }
    const change = this.#change(statement, keys);
    return () => {
      change();
      this.#revision++;
    };
  }

  #change(statement: Statement, signers: ReadonlySet<string>): () => void {
    const { body, writer, sequence, timeMs } = statement;
    switch (body.kind) {
      case 'invite':
        this.#requireOperators(writer, signers);
        this.#invites.checkInvite(body, timeMs);
        return () => this.#invites.add(body);
      case 'admission': {
        this.#requireMember(writer, body.kind);
        const { state, descriptor } = this.#invites.checkAdmission(body, writer, timeMs);
        return () => {
          state.usedBy = { agent: descriptor.statementKey, descriptor: body.descriptor };
          this.#grant({ descriptor, rank: rankOf(writer, sequence) });
        };
      }
      case 'address':
        this.#requireMember(writer, body.kind);
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
        this.#datasets.checkManifest(body, statement);
        return () => this.#datasets.addManifest(body, writer);
      case 'receipt':
        this.#requireMember(writer, body.kind, 'storage');
        return () => {};
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
      return this.#admissionObjection(decodeDescriptor(body.descriptor));
    if (body.kind === 'dataset') return this.#datasetObjection(body.id, body.name);
    if (body.kind !== 'invite') return undefined;
    if (this.#invites.of(body.inviteKey).length > 0) return refusal('this invite exists already');
    if (this.#members.has(body.issuer)) return undefined;
    return refusal('the issuer of the invite is no member');
  }

  #admissionObjection(descriptor: AgentDescriptor): HoldfastError | undefined {
    const members = [...this.#members.values()];
    if (members.length >= limits.membersMax) {
      return new HoldfastError('limit-exceeded', `a cluster has at most ${members.length} members`);
    }
    if (members.some(({ name }) => name === descriptor.name)) {
      return refusal(`the name "${descriptor.name}" is taken; join under another name`);
    }
    const inUse = new Set<string>(members.flatMap((member) => [member.agentKey, member.peerKey]));
    if (!inUse.has(descriptor.statementKey) && !inUse.has(descriptor.transportKey))
      return undefined;
    return refusal(`a key of "${descriptor.name}" belongs to another member`);
  }

  #datasetObjection(id: string, name: string): HoldfastError | undefined {
    const others = this.#datasets.all().filter((other) => other.id !== id && other.name === name);
    if (others.length === 0) return undefined;
    return refusal(`another dataset is called "${name}"; choose another name`);
  }

  isOperator(key: AgentKey): boolean {
    return this.genesis.operators.some((operator) => operator.key === key);
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
    const members = this.members();
    const named = members.filter(({ name }) => name === text);
    const isPrefix = (key: string): boolean => text.length >= 4 && key.startsWith(text);
    const found =
      named.length > 0
        ? named
        : members.filter(({ agentKey, peerKey }) => isPrefix(agentKey) || isPrefix(peerKey));
    if (found.length > 1) {
      throw new HoldfastError('ambiguous', `${found.length} members answer to "${text}"`, {
        next: 'holdfast peer list',
        details: { keys: found.map(({ peerKey }) => shortId(peerKey)).join(' ') },
      });
    }
    if (found[0] !== undefined) return found[0];
    throw new HoldfastError('not-found', `there is no member "${text}"`, {
      next: 'holdfast peer list',
    });
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
      .filter(({ invite, usedBy }) => usedBy === undefined && nowMs <= invite.notAfterMs)
      .map(({ invite }) => invite);
  }

  /** Agents that have admitted others: with the genesis and the invites, their words prove every membership. */
  issuers(): ReadonlySet<AgentKey> {
    const used = this.#invites.all().filter(({ usedBy }) => usedBy !== undefined);
    return new Set(used.map(({ invite }) => invite.issuer));
  }

  /** What is known of the invites of one key; usually one. */
  invitesOf(inviteKey: PeerKey): readonly InviteState[] {
    return this.#invites.of(inviteKey);
  }

  /**
   * As what this peer may be connected. An invite's key may be until the invite ends, also when it has been
   * used: a joiner whose answer was lost asks again, and a second user of a code must be told why it is refused.
   */
  mayConnect(peer: PeerKey, nowMs: number): 'member' | 'invite' | 'recovery' | undefined {
    if (this.#byPeer.has(peer)) return 'member';
    if (peer === this.#recoveryKey) return 'recovery';
    const isInvited = this.#invites.of(peer).some(({ invite }) => nowMs <= invite.notAfterMs);
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
  dataset(text: string): DatasetRecord {
    return this.#datasets.find(text);
  }

  #requireOperators(writer: AgentKey, signers: ReadonlySet<string>): void {
    const { operators, operatorThreshold } = this.genesis;
    const count = operators.filter((operator) => signers.has(operator.key)).length;
    if (!this.isOperator(writer)) throw refusal('only an operator may invite');
    if (count < operatorThreshold) {
      throw refusal(`${operatorThreshold} operators must sign, ${count} did`);
    }
  }

  #requireMember(writer: AgentKey, kind: StatementBody['kind'], role?: Role): void {
    const member = this.#members.get(writer);
    if (member === undefined) throw refusal(`an operator may not write: ${kind}`);
    if (role !== undefined && !member.hasRole(role)) {
      throw refusal(`"${member.name}" has not the role ${role}, which this needs: ${kind}`);
    }
  }

  #grant(grant: Grant): void {
    const agent = grant.descriptor.statementKey;
    this.#grants.set(agent, [...(this.#grants.get(agent) ?? []), grant]);
    this.#rebuild();
  }

  #rebuild(): void {
    const members = [...this.#grants].map(([agent, grants]) => ({
      rank: grants.map(({ rank }) => rank).sort()[0] ?? '',
      member: memberOf(grants, this.#addresses.get(agent)),
    }));
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
