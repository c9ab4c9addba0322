import { assert } from '../../../base/assert.ts';
import type { AgentKey } from '../../ids.ts';
import { Draw } from './draw.ts';
import type { InboundSnapshot } from './inbound-snapshot.ts';
import { RaftLog } from './log.ts';
import { Outbox } from './outbox.ts';
import { cloneRole, type Leader, leaderOf, type Role } from './role.ts';
import type {
  HardState,
  RaftEntry,
  RaftMessageBody,
  RaftOptions,
  RaftSettings,
  RaftStored,
} from './types.ts';

type Parts = {
  readonly settings: RaftSettings;
  readonly log: RaftLog;
  readonly hard: HardState;
  readonly commit: number;
  readonly draw: Draw;
  readonly lostUpTo: number | undefined;
  readonly timeoutTicks: number;
};

/**
 * What one member of the control log knows; every part of the protocol reads and changes it here.
 *
 * Who owns what: `hard` and `log` are what the journal holds once the effects of the step are done;
 * `role`, `commit` and the timer are lost at a restart; the outbox is empty between steps.
 */
export class RaftState {
  readonly settings: RaftSettings;
  readonly log: RaftLog;
  readonly outbox = new Outbox();
  readonly #draw: Draw;
  #hard: HardState;
  role: Role = { kind: 'follower', leader: undefined };
  /** Committed and applied up to here: both in the same step. */
  #commit: number;
  /** Ticks since word of a leader, a vote given, or the last election; not counted beyond the timeout. */
  elapsedTicks = 0;
  #timeoutTicks: number;
  /**
   * Of a journal damaged in the middle; undefined when nothing is missing. This member may have acknowledged
   * entries up to here that it does not hold any more, and a leader may have counted it, or may yet, to
   * commit them. A vote that it gave now could elect somebody without them, and they would be committed
   * twice over. So until its log agrees with a leader's up to here it neither grants a vote nor stands, in
   * either way nor in pre-votes, and does not refuse either ("neither ack nor nack": Alagappan et al.,
   * Protocol-Aware Recovery, FAST 2018). Any leader whose term its hard state allows holds whatever it
   * helped to commit: it was elected by a quorum that holds it, without a vote from here. Appends and
   * rounds it answers as ever: they say what is durable here now.
   */
  #lostUpTo: number | undefined;
  inbound: InboundSnapshot | undefined;
  /** The newer generation that was met: from then on nothing is done any more. */
  fencedBy: number | undefined;

  private constructor(parts: Parts) {
    this.settings = parts.settings;
    this.log = parts.log;
    this.#hard = parts.hard;
    this.#commit = parts.commit;
    this.#draw = parts.draw;
    this.#lostUpTo = parts.lostUpTo;
    this.#timeoutTicks = parts.timeoutTicks;
  }

  /** A member that starts, or starts again. @throws HoldfastError bad-encoding, see RaftLog */
  static of(stored: RaftStored, settings: RaftSettings, options: RaftOptions): RaftState {
    const { electionTicksMin, electionTicksMax, heartbeatTicks, entriesInFlightMax } = settings;
    assert(electionTicksMin > heartbeatTicks && heartbeatTicks > 0, 'heartbeats prevent elections');
    assert(electionTicksMax >= electionTicksMin, 'election timeouts have a range');
    assert(entriesInFlightMax > 0 && settings.messageBytesMax > 0, 'a message carries something');
    const state = new RaftState({
      settings,
      log: new RaftLog(stored.snapshot, stored.entries),
      hard: stored.hard,
      commit: stored.snapshot.index,
      draw: Draw.of(settings.seed, settings.self),
      lostUpTo: options.lostUpTo,
      timeoutTicks: 0,
    });
    state.agreesUpTo(stored.snapshot.index);
    state.restartTimer();
    return state;
  }

  get self(): AgentKey {
    return this.settings.self;
  }

  get hard(): HardState {
    return this.#hard;
  }

  get term(): number {
    return this.#hard.term;
  }

  get commit(): number {
    return this.#commit;
  }

  get lostUpTo(): number | undefined {
    return this.#lostUpTo;
  }

  get leader(): AgentKey | undefined {
    return leaderOf(this.role, this.self);
  }

  get isTimeUp(): boolean {
    return this.elapsedTicks >= this.#timeoutTicks;
  }

  /** True when a leader was heard of so recently that nobody needs an election (dissertation, 4.2.3). */
  get hasLeader(): boolean {
    if (this.role.kind === 'leader') return true;
    return this.leader !== undefined && this.elapsedTicks < this.settings.electionTicksMin;
  }

  tick(): void {
    if (!this.isTimeUp) this.elapsedTicks++;
  }

  /** Starts to wait anew, for another time, so that a split vote does not repeat itself. */
  restartTimer(): void {
    this.elapsedTicks = 0;
    const { electionTicksMin, electionTicksMax } = this.settings;
    this.#timeoutTicks = this.#draw.between(electionTicksMin, electionTicksMax);
  }

  /** Enters a later term, in which nobody has had this vote yet. */
  enterTerm(term: number, votedFor?: AgentKey): void {
    assert(term > this.term, 'terms only grow');
    this.#saveHard({ ...this.#hard, term, votedFor });
    this.becomeFollower(undefined);
  }

  vote(votedFor: AgentKey): void {
    if (this.#hard.votedFor === votedFor) return;
    assert(this.#hard.votedFor === undefined, 'one vote a term');
    this.#saveHard({ ...this.#hard, votedFor });
  }

  /** Any role -> follower, of the leader of this term if it is known. */
  becomeFollower(leader: AgentKey | undefined): void {
    if (this.role.kind === 'leader') this.#abandonReads(this.role);
    if (this.role.kind !== 'follower') this.restartTimer();
    this.role = { kind: 'follower', leader };
  }

  /** Appends to the own log, durable before anything else of this step. */
  append(entries: readonly RaftEntry[]): void {
    this.log.append(entries);
    this.outbox.saveEntries(entries);
  }

  /** Drops own entries that a leader's contradict, and appends the leader's. */
  replaceFrom(index: number, entries: readonly RaftEntry[]): void {
    assert(index > this.#commit, 'what is committed stays');
    this.log.truncateFrom(index);
    this.log.append(entries);
    this.outbox.saveEntries(entries, index);
  }

  /** Says that everything up to here is committed, and applies it. */
  commitTo(index: number): void {
    if (index <= this.#commit) return;
    const entries = this.log.between(this.#commit + 1, index);
    assert(entries.at(-1)?.index === index, 'what is committed is here');
    this.#commit = index;
    this.outbox.add({ kind: 'apply', entries });
  }

  /** Puts a leader's snapshot in the place of the whole log. */
  install(snapshot: RaftStored['snapshot']): void {
    this.log.install(snapshot);
    this.#commit = snapshot.index;
    this.outbox.saveSnapshot(snapshot);
    this.outbox.add({ kind: 'install', snapshot });
  }

  /** The own log agrees with a leader's up to here: what was lost before is back. */
  agreesUpTo(index: number): void {
    if (this.#lostUpTo !== undefined && index >= this.#lostUpTo) this.#lostUpTo = undefined;
  }

  send(to: AgentKey, body: RaftMessageBody, term = this.term): void {
    const { generation } = this.#hard;
    this.outbox.add({ kind: 'send', message: { from: this.self, to, generation, term, body } });
  }

  clone(): RaftState {
    const copy = new RaftState({
      settings: this.settings,
      log: this.log.clone(),
      hard: this.#hard,
      commit: this.#commit,
      draw: this.#draw.clone(),
      lostUpTo: this.#lostUpTo,
      timeoutTicks: this.#timeoutTicks,
    });
    copy.role = cloneRole(this.role);
    copy.elapsedTicks = this.elapsedTicks;
    copy.inbound = this.inbound?.clone();
    copy.fencedBy = this.fencedBy;
    return copy;
  }

  fingerprint(): unknown {
    return [
      [this.#hard, this.#commit, this.elapsedTicks, this.#timeoutTicks, this.#draw.state],
      [this.#lostUpTo, this.fencedBy, this.log.fingerprint(), this.inbound?.fingerprint()],
    ];
  }

  #saveHard(hard: HardState): void {
    this.#hard = hard;
    this.outbox.saveHard(hard);
  }

  #abandonReads(leader: Leader): void {
    for (const { id } of leader.reads) this.outbox.add({ kind: 'unreadable', id });
  }
}
