/** The part of the agent's API that is about what is kept, how long, and what goes. Keys in hexadecimal. */
export interface KeepingApi {
  /** What this host keeps to, and what the cluster has decided. */
  keeping(): Promise<KeepingReport>;
  /** The snapshots that these texts name (ids, their beginnings, `latest`). @throws not-found | ambiguous | usage */
  resolveSnapshots(request: { snapshots: string[]; dataset?: string }): Promise<SnapshotRef[]>;
  /** What retention makes of every snapshot, with the reasons. Changes nothing. @throws not-found | ambiguous */
  retention(request: { dataset?: string }): Promise<RetentionReport[]>;
  /**
   * Proposes at once what retention lets go. Only who coordinates can; others say who that is.
   * @throws not-found | ambiguous | not-permitted (this host does not coordinate) | no-quorum
   */
  proposeExpiry(request: { dataset?: string }): Promise<ProposedReport[]>;
  /** Lets go at this host what may go by now. @throws not-permitted (it stores nothing) */
  prune(): Promise<PruneReport>;
}

/** Which snapshot of whom. */
export type SnapshotRef = {
  id: string;
  dataset: string;
  datasetId: string;
  source: string;
  writer: string;
  sequence: number;
  lock: LockStanding;
};

/** What keeps a snapshot from being deleted, as far as locks do; `untilMs`: by this host's own locks. */
export type LockStanding = {
  /** `pending`: its rule asks for a lock, which this host has not set yet. */
  state: 'none' | 'pending' | 'governance' | 'compliance' | 'over' | 'unlocked';
  untilMs?: number;
};

export type KeepingReport = {
  /** Conservative time of this host; undefined: not known yet. */
  timeMs?: number;
  /** Log time; 0: not known yet. */
  logTimeMs: number;
  /** Set while this host deletes nothing. */
  freeze?: { number: number; reason: string; sinceMs: number };
  /** Locks of this host were lost: what it does not know counts as locked. */
  isLedgerDamaged: boolean;
  self: { name: string; agentKey: string };
  /** Oldest first. */
  holds: HoldReport[];
  /** What is on its way out. */
  expiries: ExpiryReport[];
  quarantines: QuarantineReport[];
  trash: { shards: number; bytes: number };
};

export type HoldReport = {
  id: string;
  /** Name and id of the dataset. */
  dataset: string;
  datasetId: string;
  /** Undefined: the whole dataset. */
  snapshot?: { id?: string; writer: string; sequence: number };
  reason: string;
  /** Log time; 0: not known then. */
  sinceMs: number;
  operators: string[];
};

/** What retention makes of one writer's dataset. */
export type RetentionReport = {
  dataset: string;
  datasetId: string;
  source: string;
  writer: string;
  /** Why nothing of it expires now, whatever the policy says. */
  haltedBecause?: string;
  /** In a few words; undefined: the policy has none for it. */
  rule?: string;
  /** Oldest first; what is gone is left out. */
  snapshots: DecisionReport[];
};

export type DecisionReport = {
  id: string;
  sequence: number;
  /** By the clock of its source. */
  timeMs: number;
  tags: string[];
  isKept: boolean;
  /** At least one. */
  reasons: string[];
  stage: SnapshotKeeping['stage'];
  /** By the locks of this host; 0: none. */
  lockedUntilMs: number;
};

/** What is decided of a snapshot, and what this host keeps to. */
export type SnapshotKeeping = {
  stage: 'live' | 'forgotten' | 'proposed' | 'veto' | 'trash' | 'gone';
  /** When log time ends the stage; undefined: it does not end by itself, or nobody knows yet. */
  stageEndsMs?: number;
  lock?: { mode: 'compliance' | 'governance'; untilMs: number };
  /** Why it is held. */
  hold?: string;
};

export type ExpiryReport = {
  id: string;
  dataset: string;
  datasetId: string;
  writer: string;
  source: string;
  /** "3, 5 to 9". */
  sequences: string;
  snapshots: number;
  stage: 'proposed' | 'veto' | 'trash' | 'emptying';
  endsMs?: number;
};

export type QuarantineReport = {
  dataset: string;
  datasetId: string;
  writer: string;
  source: string;
  sequence: number;
  by: string;
  reason: string;
};

export type PruneReport = {
  /** Shards that this look has put into the trash, taken back, deleted, and left because of locks. */
  discarded: number;
  recovered: number;
  purged: number;
  locked: number;
  /** Shards whose trash is over, and whose turn to be deleted has not come. */
  waiting: number;
  trash: { shards: number; bytes: number };
  reasons: string[];
};

export type ProposedReport = { dataset: string; snapshots: number; reason?: string };
