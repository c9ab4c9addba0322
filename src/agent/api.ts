import type { ErrorCode } from '../core/errors.ts';
import type { ColdEstimate } from '../core/policy/cold-estimate.ts';
import type { CompressionMode } from '../core/policy/compression.ts';
import type { AlertApi } from './alert-types.ts';
import type { AuditApi } from './audit-types.ts';
import type { BandwidthApi } from './bandwidth-types.ts';
import type { CheckEvent, CheckRequest, Contradiction } from './check-types.ts';
import type { DecreeApi } from './coordinator-decree-types.ts';
import type { CoordinatorApi } from './coordinator-types.ts';
import type { ExpulsionReport } from './expelled.ts';
import type { GrantApi } from './grant-types.ts';
import type { DatasetApi } from './dataset-types.ts';
import type { DrillApi, DrillRequest, DrillRunEvent, DrillStatus } from './drill-types.ts';
import type { KeepingApi, SnapshotKeeping } from './keeping-types.ts';
import type { KeyApi } from './key-types.ts';
import type { LayoutApi } from './layout-types.ts';
import type { MetricsApi } from './metrics/metrics-types.ts';
import type { PlanApi } from './plan-types.ts';
import type { PolicyApi } from './policy-types.ts';
import type { DatasetUse, StatsApi } from './stats-types.ts';
import type { HotCopyReport, StoreApi, StoresReport } from './store-types.ts';
import type { SuspicionReport, TripwireApi } from './tripwire-types.ts';
import type { ValidateApi } from './validate-types.ts';
import type { TrustApi } from './trust-types.ts';
import type { PossessionReport, ScrubReport, UpkeepApi } from './upkeep-types.ts';

/**
 * What the agent answers to its clients (CLI, dashboard), as plain JSON data. The control server exposes
 * AgentApi on a Unix socket; the CLI's client implements the same interface.
 */
export interface AgentApi
  extends CoordinatorApi,
    DecreeApi,
    LayoutApi,
    KeyApi,
    DatasetApi,
    KeepingApi,
    PolicyApi,
    StoreApi,
    TripwireApi,
    TrustApi,
    UpkeepApi,
    AuditApi,
    AlertApi,
    DrillApi,
    MetricsApi,
    GrantApi,
    StatsApi,
    BandwidthApi,
    ValidateApi,
    PlanApi {
  identity(): Promise<IdentityReport>;
  status(): Promise<StatusReport>;
  peers(): Promise<PeerReport[]>;
  /** `peer`: a name or a key prefix. */
  ping(peer: string): Promise<{ peer: string; roundTripMs: number; path: string }>;
  /** Oldest first. `page`: only so many, after skipping so many from the newest back. */
  snapshots(filter: SnapshotFilter): Promise<SnapshotReport[]>;
  backup(request: BackupRequest): AsyncIterable<BackupEvent>;
  check(request: CheckRequest): AsyncIterable<CheckEvent>;
  /** The position after which an operator's next statement goes. Hex. */
  operatorHead(operatorKey: string): Promise<{ sequence: number; hash: string }>;
  /** Takes a statement signed by an operator (base64 of an Envelope). */
  submit(envelope: string): Promise<{ hash: string }>;
  rebuildIndex(): Promise<{ shards: number; quarantined: number; statements: number }>;
  shutdown(): Promise<void>;
}

export type IdentityReport = {
  clusterId: string;
  clusterName: string;
  name: string;
  site: string;
  region: string;
  roles: string[];
  /** PeerKey, hex. */
  peerKey: string;
  /** AgentKey, hex. */
  agentKey: string;
  /** Multiaddrs without the peer id. */
  addresses: string[];
  version: string;
};

export type SnapshotFilter = {
  dataset?: string;
  tags?: string[];
  /** In a tag or the host's name, or the beginning of an id or of a moment (UTC, `2026-11-29 06`). */
  text?: string;
  page?: { skip: number; count: number };
};

export type CommitState = 'staged' | 'placed' | 'committed';

export type StatusReport = {
  /** This host is no member any more. */
  expulsion?: ExpulsionReport;
  agent: IdentityReport;
  sites: { site: string; region: string; members: number; reachable: number }[];
  policy: { surviveSites: number; words: string };
  coordinator: CoordinatorStatus;
  datasets: DatasetStatus[];
  warnings: string[];
  /** Proof that somebody has signed two histories, until it is put out of the cluster. */
  contradictions: Contradiction[];
  /** Of what this host stores; undefined: nothing. */
  scrub?: ScrubReport;
  /** Of this host; absent without a cold store. */
  cold?: StoresReport['cold'];
};

/** Who decides, as far as this host knows without asking anybody. */
export type CoordinatorStatus = {
  /** Undefined: nobody is known to coordinate. */
  leader?: string;
  /** Somebody leads, and as many voters as must agree can be reached from here. */
  hasQuorum: boolean;
  quorum: number;
  voters: number;
  votersReachable: number;
  /** Names of voters that cannot be reached from here. */
  missing: string[];
};

export type DatasetStatus = {
  name: string;
  id: string;
  source: string;
  /** Operators have destroyed the keys of all its snapshots. */
  isShredded?: true;
  /** From the newest committed snapshot, or the newest that can be restored; undefined: there is none. */
  restorable?: {
    snapshot: string;
    state: CommitState;
    timeMs: number;
    ageMs: number;
    /** Peers reachable now can rebuild every byte. */
    isRestorableNow: boolean;
    /** Sites whose reachable peers hold shards of it. */
    sites: string[];
    /** How many more of the sites reachable now may fail, whichever they are. Negative: not restorable. */
    sitesMayFail: number;
    bytes: number;
  };
  /** The newest of all, when it is not the one above. */
  pending?: { snapshot: string; state: CommitState; timeMs: number; missing: string[] };
  snapshots: number;
  /** The last rehearsal of a restore; undefined from an agent of an older version. */
  drill?: DrillStatus;
  /** In plain words: "survives any 2 sites; costs 1.67x". */
  words: string;
  /** Full copies that the policy wants; absent: none. */
  hot?: HotCopyReport[];
  /** Of the newest snapshot: what would gain by the code that the sites of today allow. */
  oldCode?: OldCodeReport;
};

export type OldCodeReport = {
  packs: number;
  bytes: number;
  /** Of the data packs of the snapshot. */
  ofBytes: number;
  /** "full copies becomes 3+2: costs 1.67x instead of 3.00x", of those that gain most. */
  reason: string;
  /** What is to come of it; undefined: the next backups make it anew, part by part. */
  stays?: string;
};

export type PeerReport = {
  name: string;
  site: string;
  region: string;
  roles: string[];
  /** Roles that operators have taken: no invite gives them back. */
  revoked: string[];
  state: 'self' | 'connected' | 'unreachable';
  path: 'direct' | 'relayed' | '-';
  /** Why that path, in words; undefined: there is none. */
  pathReason?: string;
  address: string;
  /** Statements of others that the peer lacks, as far as known; undefined: unknown. */
  lag?: number;
  freeBytes?: number;
  shards?: number;
  shardBytes?: number;
  lastSeenMs?: number;
  clockSkewMs?: number;
  version?: string;
  peerKey: string;
  agentKey: string;
  /** Of storage peers. */
  possession?: PossessionReport;
};

export type SnapshotReport = {
  id: string;
  shortId: string;
  dataset: string;
  source: string;
  host: string;
  timeMs: number;
  sequence: number;
  state: CommitState;
  /** Operators have destroyed a key that it needs: nobody can open it any more. */
  isShredded?: true;
  /** Of the dataset, under which its source has written it. */
  incarnation: number;
  /** Side: it is kept, and does not belong to what the live copy has come from. Never the latest. */
  line: 'main' | 'side';
  tags: string[];
  /** What was said with it by its backup; undefined: nothing. */
  annotations?: Record<string, string>;
  files: number;
  directories: number;
  bytes: number;
  bytesAdded: number;
  filesNew: number;
  filesChanged: number;
  filesUnstable: number;
  durationMs: number;
  /** What tripwires say; undefined: nothing, or nobody could be asked. */
  suspicion?: SuspicionReport;
  /** What is decided of it; undefined where that is not known, as without an agent. */
  keeping?: SnapshotKeeping;
  /** Known to the source and to key holders only. */
  paths?: string[];
};

export type BackupRequest = {
  /** Absolute paths, base64 of bytes; or the name of a configured dataset. */
  paths?: string[];
  dataset?: string;
  tags: string[];
  exclude: string[];
  iexclude: string[];
  excludeIfPresent: string[];
  excludeCaches: boolean;
  excludeLargerThan?: number;
  oneFileSystem: boolean;
  dryRun: boolean;
  /** Read every file even when it looks unchanged. */
  force: boolean;
  /** In place of what the configuration says. */
  compression?: CompressionMode;
  /** What shall be said with it. */
  annotations?: Record<string, string>;
};

export type BackupEvent =
  | {
      type: 'status';
      elapsedMs: number;
      filesDone: number;
      filesTotal?: number;
      bytesDone: number;
      bytesTotal?: number;
      bytesSent: number;
      current: string;
    }
  | { type: 'problem'; path: string; pathBase64?: string; reason: string }
  | { type: 'notice'; message: string }
  | { type: 'summary'; summary: BackupSummary };

/** A peer that takes no more of a dataset, and why. */
export type RefusalReport = { peer: string; site: string; code: ErrorCode; reason: string };

export type BackupSummary = {
  snapshot: string;
  dataset: string;
  state: CommitState;
  /** Sites whose shards are still to be delivered. */
  missingSites: string[];
  /** Peers that would not take what they were offered. */
  refusals: RefusalReport[];
  /** Peers hold more of the dataset than its budget allows: nothing of it expires until an operator has looked. */
  quarantine?: { by: string; reason: string };
  words: string;
  files: number;
  directories: number;
  others: number;
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  filesUnstable: number;
  problems: number;
  bytes: number;
  bytesRead: number;
  bytesAdded: number;
  bytesStored: number;
  /** Older packs that were made anew with another code. */
  packsRecoded?: number;
  /** Mostly dead ones that were given up. */
  packsRepacked?: number;
  durationMs: number;
  /** 99th percentile of how late the agent's thread was meanwhile. */
  loopDelayP99Ms?: number;
};

/** Opened with a recovery kit: reads and restores from whichever members answer. */
export interface RecoverySession extends AsyncDisposable {
  readonly cluster: { id: string; name: string };
  /** Members reached, by site. */
  readonly reached: { name: string; site: string }[];
  snapshots(filter: { dataset?: string; tags?: string[] }): Promise<SnapshotReport[]>;
  /** `snapshot`: id prefix, "latest", or "latest" of a dataset; `path` inside the snapshot. */
  list(request: { snapshot: string; path: string; recursive: boolean }): AsyncIterable<EntryReport>;
  find(request: {
    snapshot?: string;
    pattern: string;
    ignoreCase: boolean;
  }): AsyncIterable<EntryReport & { snapshot: string }>;
  diff(request: { from: string; to: string; path: string }): AsyncIterable<DiffReport>;
  dump(request: { snapshot: string; path: string }): AsyncIterable<Uint8Array>;
  restore(request: RestoreRequest): AsyncIterable<RestoreEvent>;
  /** What snapshots need of what is stored, dataset by dataset: every directory of each is read. */
  use(request: { dataset?: string }): AsyncIterable<DatasetUse>;
  /** Restores into a staging area, verifies, and measures since the session was asked for. */
  drill(request: DrillRequest): AsyncIterable<DrillRunEvent>;
}

export type EntryReport = {
  path: string;
  /** Set when the path is not valid UTF-8. */
  pathBase64?: string;
  kind: string;
  mode: number;
  uid: number;
  gid: number;
  user: string;
  group: string;
  size: number;
  /** Nanoseconds since 1970, decimal. */
  mtimeNs: string;
  target?: string;
};

export type DiffReport = {
  change: 'added' | 'removed' | 'content' | 'metadata' | 'type';
  path: string;
};

export type RestoreRequest = {
  snapshot: string;
  path: string;
  target: string;
  include: string[];
  exclude: string[];
  overwrite: 'always' | 'if-changed' | 'if-newer' | 'never';
  dryRun: boolean;
  /** The target may hold files already. */
  allowNonEmpty: boolean;
};

export type RestoreEvent =
  | {
      type: 'status';
      elapsedMs: number;
      filesDone: number;
      filesTotal: number;
      bytesDone: number;
      bytesTotal: number;
      current: string;
    }
  | { type: 'problem'; path: string; pathBase64?: string; reason: string; isLost: boolean }
  | { type: 'notice'; message: string; cold?: ColdEstimate }
  | { type: 'summary'; summary: RestoreSummary };

export type RestoreSummary = {
  snapshot: string;
  files: number;
  directories: number;
  others: number;
  filesSkipped: number;
  /** Files whose bytes could not be had. */
  filesLost: number;
  /** Restored, but not in every attribute. */
  problems: number;
  bytes: number;
  bytesFetched: number;
  packsDecoded: number;
  sites: string[];
  durationMs: number;
};
