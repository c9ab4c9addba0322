import { assert } from '../../../base/assert.ts';
import { codeOf, HoldfastError } from '../../errors.ts';
import { type OpenedCommand, openCommand } from '../../format/control-envelope.ts';
import { hexBytes } from '../../format/control-field.ts';
import type { CommandId, ControlCommand } from '../../format/control-records.ts';
import type { Genesis } from '../../format/records.ts';
import type { AgentKey, ClusterId, DatasetId } from '../../ids.ts';
import type { RaftConfig } from '../raft/types.ts';
import { AnchorBook } from './anchor-book.ts';
import { Authority } from './authority.ts';
import { changeOf } from './change.ts';
import { ClearedBook } from './cleared-book.ts';
import { ConfigBook } from './config-book.ts';
import { controlBounds } from './control-bounds.ts';
import { encodeParts, hashParts, type LogPosition, loadParts } from './control-image.ts';
import { DrillBook } from './drill-book.ts';
import { DecreeBook } from './decree-book.ts';
import { EscrowBook } from './escrow-book.ts';
import { FateBook } from './fate-book.ts';
import { FormatBook } from './format-book.ts';
import { FindingBook } from './finding-book.ts';
import { HoldBook } from './hold-book.ts';
import { IncarnationBook } from './incarnation-book.ts';
import { KeyBook } from './key-book.ts';
import { LayoutBook } from './layout-book.ts';
import { LeaseBook } from './lease-book.ts';
import { MemberBook } from './member-book.ts';
import { OperatorBook } from './operator-book.ts';
import { PlanBook } from './plan-book.ts';
import { PolicyBook } from './policy-book.ts';
import { ProposalBook } from './proposal-book.ts';
import { settleProposals } from './proposal-change.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { RestoreGrantBook } from './restore-grant-book.ts';
import { SiteBook } from './site-book.ts';
import { ThawBook } from './thaw-book.ts';
import { DrainBook } from './drain-book.ts';
import { TimeBook, type TimeWait } from './time-book.ts';
import { VouchBook } from './vouch-book.ts';

/** A committed entry of the control log, of kind `command`. */
export type ControlEntry = {
  readonly generation: number;
  readonly index: number;
  readonly term: number;
  /** Envelope of a command. */
  readonly envelope: Uint8Array;
};

/** What an entry has done; a reason is one sentence for people. */
export type ApplyOutcome =
  | { readonly outcome: 'applied' }
  | { readonly outcome: 'void'; readonly reason: string };

/**
 * What the entries of the control log mean. Order comes from the log; authority comes from signatures, which
 * every member checks alike when it applies an entry. One without its authority, or out of place, is void: it
 * is noted with a reason and changes nothing else.
 *
 * Members must reach the same state from the same log. So nothing here depends on anything but the genesis
 * and the log: no clock, no roster, nothing that members learn at different times. Members are known here once
 * the log has admitted them.
 *
 * Each book owns one matter; `changeOf` lets a command touch two of them.
 */
export class ControlState {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly members: MemberBook;
  readonly config: ConfigBook;
  readonly operators: OperatorBook;
  readonly authority: Authority;
  readonly vouches: VouchBook;
  readonly layout = new LayoutBook();
  readonly policy: PolicyBook;
  readonly plans = new PlanBook();
  readonly incarnations: IncarnationBook;
  readonly leases: LeaseBook;
  readonly anchors: AnchorBook;
  readonly sites = new SiteBook();
  readonly decrees = new DecreeBook();
  readonly proposals = new ProposalBook();
  readonly findings = new FindingBook();
  readonly format = new FormatBook();
  readonly time: TimeBook;
  readonly cleared = new ClearedBook();
  readonly keys: KeyBook;
  readonly escrow: EscrowBook;
  readonly thaws = new ThawBook();
  readonly drains = new DrainBook();
  readonly holds = new HoldBook();
  readonly drills = new DrillBook();
  readonly fates: FateBook;
  readonly restoreGrants: RestoreGrantBook;
  /** Oldest first. Of void commands, too: one envelope has one outcome for ever. */
  readonly #knownIds = new Map<CommandId, Uint8Array>();
  #position: LogPosition = { generation: 1, lastIndex: 0, commandCount: 0 };

  /** The state before the first entry of the first generation: the founder is its one member and voter. */
  constructor(genesis: Genesis, cluster: ClusterId) {
    this.genesis = genesis;
    this.cluster = cluster;
    this.members = new MemberBook(genesis, cluster);
    this.anchors = new AnchorBook(cluster);
    this.config = new ConfigBook([genesis.founder.statementKey]);
    this.time = new TimeBook(this.config);
    this.restoreGrants = new RestoreGrantBook(this.time);
    this.vouches = new VouchBook(cluster, [genesis.founder.statementKey]);
    this.policy = new PolicyBook(genesis);
    this.fates = new FateBook(this);
    this.incarnations = new IncarnationBook(cluster, genesis.byzantineVoters);
    this.leases = new LeaseBook(this.incarnations, genesis.byzantineVoters);
    this.operators = new OperatorBook(genesis);
    this.authority = new Authority(this.operators, this.members, this.config);
    this.keys = new KeyBook(genesis);
    this.escrow = new EscrowBook(cluster);
  }

  /**
   * The state that `encode` has made these bytes of. They come from a snapshot of the log, and are only as
   * true as their sender: compare `hash` with what voters have signed.
   * @throws HoldfastError bad-encoding
   */
  static decode(bytes: Uint8Array, genesis: Genesis, cluster: ClusterId): ControlState {
    const state = new ControlState(genesis, cluster);
    loadParts(state, bytes);
    return state;
  }

  /** The whole state: the same bytes for the same log, and all that a member needs to go on from there. */
  encode(): Uint8Array {
    return encodeParts(this);
  }

  /**
   * 32 bytes that two members compare. How findings are worded is left out: a later version may do it otherwise.
   * What was found counts: writers that have contradicted themselves are frozen by it.
   */
  hash(): Uint8Array {
    return hashParts(this);
  }

  get generation(): number {
    return this.#position.generation;
  }

  get lastIndex(): number {
    return this.#position.lastIndex;
  }

  get position(): LogPosition {
    return this.#position;
  }

  knownIds(): readonly CommandId[] {
    return [...this.#knownIds.keys()];
  }

  /** The same as bytes: they are hashed after every entry. */
  knownIdBytes(): Uint8Array[] {
    return [...this.#knownIds.values()];
  }

  /**
   * What became of a command, for who has not seen it applied: undefined when the log does not hold it, or held it
   * long ago. The index of an applied one is the newest here.
   */
  outcomeOf(id: CommandId): (ApplyOutcome & { readonly index: number }) | undefined {
    if (!this.#knownIds.has(id)) return undefined;
    const found = this.findings.voids.find((one) => one.id === id);
    if (found === undefined) return { outcome: 'applied', index: this.lastIndex };
    return { outcome: 'void', reason: found.reason, index: found.index };
  }

  /** Takes the next command of the log. Never throws for what stands in it. */
  apply(entry: ControlEntry): ApplyOutcome {
    assert(entry.generation === this.generation, 'an entry is of the generation of its log');
    assert(entry.index > this.lastIndex, 'entries come in order');
    assert(this.format.isKnown, 'nobody applies what may mean something else');
    const { commandCount } = this.#position;
    let opened: OpenedCommand | undefined;
    let outcome: ApplyOutcome;
    try {
      const read = openCommand(entry.envelope, this.cluster);
      this.format.requireInForce(read.command.body);
      opened = read;
      this.#prepare(opened, entry)();
      outcome = { outcome: 'applied' };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      outcome = { outcome: 'void', reason: error.message };
      this.#note(error, entry, opened);
    }
    if (opened !== undefined) this.remember(opened.command.id);
    const { generation, index } = entry;
    settleProposals(this, entry);
    this.restoreGrants.settle(entry);
    this.plans.settleGrants(this.time);
    this.#position = { generation, lastIndex: index, commandCount: commandCount + 1 };
    return outcome;
  }

  /** Takes a committed configuration of the log. */
  applyConfig(config: RaftConfig, index: number): void {
    assert(index > this.lastIndex, 'entries come in order');
    for (const voter of config.voters) {
      const text = this.members.voterObjection(voter);
      if (text === undefined) continue;
      this.findings.addWarning({ generation: this.generation, index, text: `a voter: ${text}` });
    }
    this.config.set(config);
    this.time.votersChanged();
    this.#position = { ...this.#position, lastIndex: index };
  }

  /** Whether this agent may write the dataset, and why. */
  mayWrite(
    agent: AgentKey,
    dataset: DatasetId,
  ): { readonly may: boolean; readonly reason: string } {
    return this.incarnations.mayWrite(agent, dataset);
  }

  /** Everything that waits for log time: what voters have to know to say it in time. */
  waits(): readonly TimeWait[] {
    return [
      ...this.proposals.waits(),
      ...this.fates.waits(),
      ...this.restoreGrants.waits(),
      ...this.plans.waits(),
    ];
  }

  /** Puts the state at a place of a log: for images and decrees. */
  resume(position: LogPosition, knownIds: readonly CommandId[]): void {
    this.#position = position;
    this.#knownIds.clear();
    for (const id of knownIds) this.#knownIds.set(id, hexBytes(id));
  }

  #prepare(opened: OpenedCommand, entry: ControlEntry): () => void {
    const { command, signers } = opened;
    if (opened.generation !== this.generation) {
      throw refusal(`it was signed for generation ${opened.generation}`);
    }
    const isDecree = command.body.kind === 'decree';
    if (this.#knownIds.has(command.id) && !isDecree) throw refusal('the command is known already');
    const { generation, index, envelope } = entry;
    const place = { generation, index, envelope, signers, timeMs: command.timeMs };
    const evidence = [envelope];
    return this.changeFor(command, { ...place, evidence });
  }

  /** See `changeOf`. */
  changeFor(command: ControlCommand, place: CommandPlace): Change {
    return changeOf(this, command, place);
  }

  #note(error: HoldfastError, entry: ControlEntry, opened: OpenedCommand | undefined): void {
    const { generation, index, envelope } = entry;
    const { id = '' as const, body } = opened?.command ?? {};
    const reason = error.message;
    this.findings.addVoid({ generation, index, kind: body?.kind ?? '', id, reason });
    if (codeOf(error) !== 'equivocation' || body === undefined) return;
    const agent = error.details.agent as AgentKey;
    const first = body.kind === 'fence-vote' ? this.incarnations.wordOf(body, agent) : undefined;
    const evidence = first === undefined ? [envelope] : [first, envelope];
    this.findings.addEquivocation({ generation, index, agent, reason, evidence });
  }

  /** A command of this id has been seen, or proposed. */
  isKnown(id: CommandId): boolean {
    return this.#knownIds.has(id);
  }

  /** No command of this id shall be taken again. */
  remember(id: CommandId): void {
    if (!this.#knownIds.has(id)) this.#knownIds.set(id, hexBytes(id));
    for (const oldest of this.#knownIds.keys()) {
      if (this.#knownIds.size <= controlBounds.knownIdsMax) return;
      this.#knownIds.delete(oldest);
    }
  }
}
