import { takeAppendResponse, takeSnapshotResponse } from './answers.ts';
import { electionTick, takeTimeoutNow, takeVoteRequest, takeVoteResponse } from './election.ts';
import { refuseOldLeader, takeAppendRequest, takeSnapshotRequest } from './following.ts';
import { configure, isActive, leaderTick, propose, transfer } from './leadership.ts';
import { membersOf } from './membership.ts';
import { nonsenseOf } from './message-sense.ts';
import { takeRead } from './reads.ts';
import { fingerprintOfRole, type Leader } from './role.ts';
import { RaftState } from './state.ts';
import type {
  BodyOf,
  RaftInput,
  RaftLike,
  RaftMessage,
  RaftOptions,
  RaftOutcome,
  RaftResult,
  RaftSettings,
  RaftStatus,
  RaftStored,
} from './types.ts';

type LeaderInput = Extract<RaftInput, { kind: 'propose' | 'configure' | 'transfer' | 'read' }>;

/**
 * One member of the control log: takes an input, changes its state at once, and says what must be done, in
 * which order. It has no clock, no randomness of its own, no disk and no network, so that one run is
 * repeated by the same inputs. An input that it cannot make sense of changes nothing.
 *
 * Start reading at `election.ts`, then `leadership.ts`, `replication.ts` and `commitment.ts` (the leader's
 * side), `following.ts` (the other side), `reads.ts`; `state.ts` holds what all of them share.
 */
export class Raft implements RaftLike {
  #state: RaftState;

  /** Starts, or starts again after a crash. @throws HoldfastError bad-encoding for a bad configuration */
  constructor(stored: RaftStored, settings: RaftSettings, options: RaftOptions = {}) {
    this.#state = RaftState.of(stored, settings, options);
  }

  /** The effects must be done one after another, before the next input is given. */
  step(input: RaftInput): RaftResult {
    const state = this.#state;
    if (state.fencedBy !== undefined) {
      const reason = `generation ${state.fencedBy} has replaced this one`;
      return { outcome: { kind: 'invalid', reason }, effects: [] };
    }
    const before = standingOf(state);
    const outcome = take(state, input);
    const after = standingOf(state);
    if (after.some((value, i) => value !== before[i])) {
      state.outbox.add({ kind: 'role', status: this.status() });
    }
    return { outcome, effects: state.outbox.drain() };
  }

  status(): RaftStatus {
    const state = this.#state;
    const { role, hard, log } = state;
    return {
      role: role.kind,
      generation: hard.generation,
      term: hard.term,
      leader: state.leader,
      config: log.config,
      commit: state.commit,
      lastIndex: log.lastIndex,
      firstIndex: log.snapshot.index,
      progress: role.kind === 'leader' ? progressOf(state, role) : [],
      lostUpTo: state.lostUpTo,
    };
  }

  /** Another one in the same state; what happens to one does not touch the other. */
  clone(): Raft {
    const { settings, hard, log } = this.#state;
    const copy = new Raft({ hard, snapshot: log.snapshot, entries: [] }, settings);
    copy.#state = this.#state.clone();
    return copy;
  }

  /** The same text for the same behaviour from here on, given the same settings, and for it only. */
  fingerprint(): string {
    const { role } = this.#state;
    return JSON.stringify([this.#state.fingerprint(), fingerprintOfRole(role)]);
  }
}

/** What is announced when it changes. */
function standingOf({ role, term, leader, log }: RaftState): readonly unknown[] {
  return [role.kind, term, leader, log.config];
}

function progressOf(state: RaftState, leader: Leader): RaftStatus['progress'] {
  return [...leader.progress].map(([agent, { matchIndex }]) => ({
    agent,
    matchIndex,
    isActive: isActive(state, leader, agent),
  }));
}

function take(state: RaftState, input: RaftInput): RaftOutcome {
  switch (input.kind) {
    case 'tick':
      if (state.role.kind === 'leader') leaderTick(state, state.role);
      else electionTick(state);
      return { kind: 'ok' };
    case 'message': {
      const reason = takeMessage(state, input.message);
      return reason === undefined ? { kind: 'ok' } : { kind: 'invalid', reason };
    }
    case 'compact':
      return compact(state, input.index, input.state);
    case 'propose':
    case 'configure':
    case 'transfer':
    case 'read':
      if (state.role.kind !== 'leader') return { kind: 'not-leader', leader: state.leader };
      return lead(state, state.role, input);
  }
}

function lead(state: RaftState, leader: Leader, input: LeaderInput): RaftOutcome {
  switch (input.kind) {
    case 'propose':
      return propose(state, leader, input.payload);
    case 'configure':
      return configure(state, leader, input.config);
    case 'transfer':
      return transfer(state, leader, input.to);
    case 'read':
      takeRead(state, leader, input.id);
      return { kind: 'ok' };
  }
}

function compact(state: RaftState, index: number, bytes: Uint8Array): RaftOutcome {
  if (index > state.commit) return { kind: 'invalid', reason: 'it has not been applied' };
  if (index <= state.log.snapshot.index) return { kind: 'invalid', reason: 'it is compacted' };
  state.outbox.saveSnapshot(state.log.compact(index, bytes));
  return { kind: 'ok' };
}

/** @returns why the message was not taken, if it was not; then nothing has changed */
function takeMessage(state: RaftState, message: RaftMessage): string | undefined {
  const nonsense = nonsenseOf(message);
  if (nonsense !== undefined) return nonsense;
  if (message.to !== state.self) return 'it is for somebody else';
  const { generation } = state.hard;
  if (message.generation > generation) {
    fence(state, message.generation);
    return undefined;
  }
  if (message.generation < generation) {
    if (message.body.kind !== 'fenced') state.send(message.from, { kind: 'fenced' });
    return 'its generation was replaced';
  }
  return takeOfGeneration(state, message);
}

function takeOfGeneration(state: RaftState, message: RaftMessage): string | undefined {
  const { from, body } = message;
  switch (body.kind) {
    case 'vote-request':
      takeVoteRequest(state, message, body);
      return undefined;
    case 'append-request':
    case 'snapshot-request':
      if (message.term < state.term) {
        refuseOldLeader(state, from);
        return undefined;
      }
      if (body.kind === 'append-request') return takeAppendRequest(state, message, body);
      return takeSnapshotRequest(state, message, body);
    case 'timeout-now':
      return takeTimeoutNow(state, message);
    case 'fenced':
      return 'it fences its own generation';
    case 'vote-response':
    case 'append-response':
    case 'snapshot-response':
      return takeResponse(state, message, body);
  }
}

/** An answer counts only from a member: of a leader's, or of a candidate's, own configuration. */
function takeResponse(
  state: RaftState,
  message: RaftMessage,
  body: BodyOf<'vote-response' | 'append-response' | 'snapshot-response'>,
): string | undefined {
  const { from, term } = message;
  if (!membersOf(state.log.config).includes(from)) return 'it is from no member';
  if (term > state.term) {
    state.enterTerm(term);
    return undefined;
  }
  if (body.kind === 'vote-response') {
    takeVoteResponse(state, message, body);
    return undefined;
  }
  const { role } = state;
  if (role.kind !== 'leader' || term < state.term) return undefined;
  return body.kind === 'append-response'
    ? takeAppendResponse(state, role, from, body)
    : takeSnapshotResponse(state, role, from, body);
}

/** Stops for good: a decree has given the log to others, and nothing done here may count against them. */
function fence(state: RaftState, generation: number): void {
  state.becomeFollower(undefined);
  state.fencedBy = generation;
  state.outbox.add({ kind: 'fenced', generation });
}
