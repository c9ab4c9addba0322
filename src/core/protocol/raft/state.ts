import { assert } from '../../../base/assert.ts';
import type { AgentKey } from '../../ids.ts';
import { Draw } from './draw.ts';
import type { InboundSnapshot } from './inbound-snapshot.ts';
import { type LogPosition, RaftLog, reaches } from './log.ts';
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
  readonly lost: LogPosition | undefined;
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
   * Where the log ended before the journal was damaged in the middle; undefined when nothing is missing. This
   * member may have acknowledged entries up to there that it does not hold any more, and a leader may have
   * counted it, or may yet, to commit them. So it votes as the whole log would have: never for a candidate
   * whose log is not as new as that end ("neither ack nor nack", and never a guess: Alagappan et al.,
   * Protocol-Aware Recovery, FAST 2018). See `mayElect`, and `noteRegained` for when this ends.
   */
  #lost: LogPosition | undefined;
  /**
   * True when a candidate that counts this vote was refused because the own log is newer, and since then
   * this member has not stood nor heard of a leader: it may be the only one that can win, even if its own log
   * makes it no voter.
   */
  hasRefusedOlder = false;
  inbound: InboundSnapshot | undefined;
  /** The newer generation that was met: from then on nothing is done any more. */
  fencedBy: number | undefined;

  private constructor(parts: Parts) {
    this.settings = parts.settings;
    this.log = parts.log;
    this.#hard = parts.hard;
    this.#commit = parts.commit;
    this.#draw = parts.draw;
    this.#lost = parts.lost;
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
      lost: lostOf(stored, options),
      timeoutTicks: 0,
    });
    state.noteRegained();
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
    return this.#lost?.index;
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
    if (leader !== undefined) this.hasRefusedOlder = false;
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

  /**
   * True when this member may help to elect the owner of a log that ends there. All that the proof of leader
   * completeness asks of a voter is that the candidate's log is as new as one that holds whatever the voter
   * has helped to commit. The lost log held it; so may what stands here now, where a leader has gone on.
   */
  mayElect(last: LogPosition): boolean {
    return reaches(last, this.log.last) && (this.#lost === undefined || reaches(last, this.#lost));
  }

  /**
   * What was lost is back, or does not matter any more, in either of two cases. The log is as long as it was:
   * what a damaged journal has left is shorter, so a leader has said all up to there, and a whole log would be
   * the same now. Or it ends in a later term than the lost one did: the leader of that term held whatever was
   * committed with the help of this member in earlier ones, and up to here this log is that leader's.
   */
  noteRegained(): void {
    const { last } = this.log;
    if (this.#lost === undefined) return;
    if (last.index >= this.#lost.index || last.term > this.#lost.term) this.#lost = undefined;
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
      lost: this.#lost,
      timeoutTicks: this.#timeoutTicks,
    });
    copy.role = cloneRole(this.role);
    copy.elapsedTicks = this.elapsedTicks;
    copy.hasRefusedOlder = this.hasRefusedOlder;
    copy.inbound = this.inbound?.clone();
    copy.fencedBy = this.fencedBy;
    return copy;
  }

  fingerprint(): unknown {
    return [
      [this.#hard, this.#commit, this.elapsedTicks, this.#timeoutTicks, this.#draw.state],
      [
        this.#lost,
        this.hasRefusedOlder,
        this.fencedBy,
        this.log.fingerprint(),
        this.inbound?.fingerprint(),
      ],
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

/** An entry's term is never above its holder's: that bounds it where the journal does not know better. */
function lostOf(
  { hard }: RaftStored,
  { lostUpTo, lostTerm }: RaftOptions,
): LogPosition | undefined {
  return lostUpTo === undefined ? undefined : { index: lostUpTo, term: lostTerm ?? hard.term };
}
