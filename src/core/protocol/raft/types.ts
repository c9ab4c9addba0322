import type { AgentKey } from '../../ids.ts';

/**
 * The vocabulary of the control log's consensus: Raft (Ongaro, "Consensus: Bridging Theory and Practice",
 * 2014), with pre-vote (section 9.6), check-quorum (6.2) and single-server membership changes (4.1).
 * Agents are named by their statement keys, which are never used twice.
 */

/** Who takes part. A learner receives the log and neither votes nor counts. */
export type RaftConfig = {
  readonly voters: readonly AgentKey[];
  readonly learners: readonly AgentKey[];
};

/** What a voter must never forget. */
export type HardState = {
  /** Of the control log; grows only by a decree. Part of every message. */
  readonly generation: number;
  readonly term: number;
  readonly votedFor: AgentKey | undefined;
};

export type RaftEntry = {
  /** From 1. */
  readonly index: number;
  readonly term: number;
  /** `noop` opens a term; `config` replaces the configuration from its append on; `command` is for the state machine. */
  readonly kind: 'noop' | 'config' | 'command';
  /** Empty, an encoded RaftConfig, or a command. */
  readonly payload: Uint8Array;
};

/** Everything up to `index`, applied. */
export type RaftSnapshot = {
  readonly index: number;
  readonly term: number;
  readonly config: RaftConfig;
  /** The state machine's own encoding. */
  readonly state: Uint8Array;
};

/**
 * What survives a restart: read from the journal, given to `Raft` when it starts. A member that never ran
 * starts as all others of its generation did: term 0, and a snapshot at index 0 with the first voters.
 */
export type RaftStored = {
  readonly hard: HardState;
  readonly snapshot: RaftSnapshot;
  /** Those after the snapshot, without a gap. */
  readonly entries: readonly RaftEntry[];
};

/**
 * What a driver must make durable, in this order, in one step. A write with a snapshot and a newer generation
 * replaces the whole log.
 */
export type RaftWrite = {
  readonly hard?: HardState;
  /** Replaces the snapshot and drops all entries up to its index (all of them when the log does not match it). */
  readonly snapshot?: RaftSnapshot;
  /** Entries from here on are replaced by `append`. */
  readonly truncateFrom?: number;
  readonly append?: readonly RaftEntry[];
};

export type RaftMessageBody =
  | {
      readonly kind: 'vote-request';
      readonly isPreVote: boolean;
      readonly lastIndex: number;
      readonly lastTerm: number;
      /** The old leader asks for this election: the guard against disruption does not apply. */
      readonly isTransfer: boolean;
    }
  | { readonly kind: 'vote-response'; readonly isPreVote: boolean; readonly isGranted: boolean }
  | {
      readonly kind: 'append-request';
      readonly previousIndex: number;
      readonly previousTerm: number;
      readonly entries: readonly RaftEntry[];
      readonly commit: number;
      /** Grows with every round of heartbeats; answered as it is. Confirms leadership for reads. */
      readonly round: number;
    }
  | {
      readonly kind: 'append-response';
      readonly isAccepted: boolean;
      /** The last index known to match; when refused, the last one that could still match. */
      readonly matchIndex: number;
      /** When refused, the term of the entry at `matchIndex` (else 0): the leader skips its later terms. */
      readonly hintTerm: number;
      readonly round: number;
    }
  | {
      readonly kind: 'snapshot-request';
      readonly index: number;
      readonly snapshotTerm: number;
      readonly config: RaftConfig;
      /** Bytes of the state from `offset` on. */
      readonly offset: number;
      readonly bytes: Uint8Array;
      readonly totalSize: number;
      readonly round: number;
    }
  | {
      readonly kind: 'snapshot-response';
      readonly index: number;
      readonly nextOffset: number;
      readonly round: number;
    }
  /** The leader wants this voter to be elected now. */
  | { readonly kind: 'timeout-now' }
  /** Said to whoever speaks of an older generation: it has been replaced by a decree. */
  | { readonly kind: 'fenced' };

/** The body of one kind. */
export type BodyOf<Kind extends RaftMessageBody['kind']> = Extract<RaftMessageBody, { kind: Kind }>;

export type RaftMessage = {
  readonly from: AgentKey;
  readonly to: AgentKey;
  readonly generation: number;
  /** The sender's term; of a pre-vote request, the term that it would enter. */
  readonly term: number;
  readonly body: RaftMessageBody;
};

export type RaftInput =
  /** One period of the driver's monotonic clock. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly message: RaftMessage }
  /** Only the leader takes it; the outcome is in the result of the step. */
  | { readonly kind: 'propose'; readonly payload: Uint8Array }
  /** A configuration that differs from the current one in one voter or in learners only. */
  | { readonly kind: 'configure'; readonly config: RaftConfig }
  /** Hand leadership to the voter that is most up to date (or to `to`). */
  | { readonly kind: 'transfer'; readonly to?: AgentKey }
  /** Answered by a `readable` effect once leadership was confirmed after this moment. */
  | { readonly kind: 'read'; readonly id: number }
  /** The state machine has been encoded up to here: entries up to it may go. */
  | { readonly kind: 'compact'; readonly index: number; readonly state: Uint8Array };

/**
 * What the driver does, in this order; it must have finished one before it begins the next. So nothing is
 * sent or applied before what it rests on is durable.
 */
export type RaftEffect =
  | { readonly kind: 'persist'; readonly write: RaftWrite }
  | { readonly kind: 'send'; readonly message: RaftMessage }
  | { readonly kind: 'apply'; readonly entries: readonly RaftEntry[] }
  /** The state machine is replaced; what it had applied before is contained in it. */
  | { readonly kind: 'install'; readonly snapshot: RaftSnapshot }
  | { readonly kind: 'readable'; readonly id: number; readonly index: number }
  /** A read or a proposal cannot be answered here any more: leadership was lost. */
  | { readonly kind: 'unreadable'; readonly id: number }
  | { readonly kind: 'role'; readonly status: RaftStatus }
  /** A newer generation exists: this voter signs nothing more in its own. */
  | { readonly kind: 'fenced'; readonly generation: number };

export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

export type RaftStatus = {
  readonly role: RaftRole;
  readonly generation: number;
  readonly term: number;
  readonly leader: AgentKey | undefined;
  readonly config: RaftConfig;
  readonly commit: number;
  readonly lastIndex: number;
  /** Of the snapshot. */
  readonly firstIndex: number;
  /** Leader only: what each other member is known to hold. */
  readonly progress: readonly {
    readonly agent: AgentKey;
    readonly matchIndex: number;
    readonly isActive: boolean;
  }[];
  /** Set while entries lost from the own journal have not been fetched again: it does not stand meanwhile. */
  readonly lostUpTo?: number | undefined;
};

/** Why a step was refused; `ok` carries the index of a proposal. */
export type RaftOutcome =
  | { readonly kind: 'ok'; readonly index?: number }
  | { readonly kind: 'not-leader'; readonly leader: AgentKey | undefined }
  | { readonly kind: 'change-pending' }
  /** No entry of the own term has been committed yet, or leadership is being handed over: try again soon. */
  | { readonly kind: 'not-ready' }
  | { readonly kind: 'invalid'; readonly reason: string };

export type RaftOptions = {
  /** From a damaged journal: entries up to this index may have been acknowledged and are gone. */
  readonly lostUpTo?: number | undefined;
  /** Not below the term of the last of them; without it they may be of any term up to the own. */
  readonly lostTerm?: number | undefined;
};

export type RaftResult = {
  readonly outcome: RaftOutcome;
  readonly effects: readonly RaftEffect[];
};

/** What a driver sees of the state machine; a simulator may put something else in its place. */
export type RaftLike = {
  step(input: RaftInput): RaftResult;
  status(): RaftStatus;
};

export type RaftSettings = {
  readonly self: AgentKey;
  /** Ticks without word of a leader before an election: drawn anew each time from [min, max]. */
  readonly electionTicksMin: number;
  readonly electionTicksMax: number;
  readonly heartbeatTicks: number;
  /** Payload bytes in one append or snapshot message. */
  readonly messageBytesMax: number;
  /** Entries sent and not yet answered, for each follower. */
  readonly entriesInFlightMax: number;
  /** Seeds the draws; the same seed and inputs give the same run. */
  readonly seed: number;
};
