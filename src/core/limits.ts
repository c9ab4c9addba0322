import { assert } from '../base/assert.ts';
import { dayMs, GiB, hourMs, KiB, MiB, minuteMs, secondMs } from '../base/units.ts';

/** Every hard bound, each with its reason. Relations between bounds are asserted below. */
export const limits = {
  /** A pack closes when its frames reach this: large enough that a signature, an age header and a round trip are cheap. */
  packSizeTarget: 16 * MiB,
  /** No pack is larger: a shard head with its leaf hashes must fit a message, a decoder's buffers must be bounded. */
  packSizeMax: 20 * MiB,
  /** Plaintext gathered before zstd: grouping small files saves a tenth of the bytes. */
  frameSizeTarget: 512 * KiB,
  /** A frame ends before it would pass this, so one chunk read opens little. */
  frameSizeMax: 1 * MiB,
  /** Chunks of one frame, and frames and chunks of one pack: they bound the footer when data is tiny or very compressible. */
  frameChunksMax: 3072,
  packFramesMax: 4096,
  packChunksMax: 11264,
  /** The unit of verification and of resuming a transfer. */
  leafSize: 64 * KiB,
  /** Shards of one pack: GF(2^8) allows 255, placement never wants more. */
  shardsMax: 32,
  /** Data shards of one pack: a repair reads k shards for one, so wide codes are slow to mend. */
  dataShardsMax: 8,
  /** Full copies of a metadata pack. */
  metadataCopiesMax: 8,
  /** One control message on the wire, length prefix excluded. */
  messageSizeMax: 1 * MiB,
  /** One command of the control log with its signatures. */
  envelopeSizeMax: 256 * KiB,
  /** One statement with its signatures: a command can carry it whole. */
  statementSizeMax: 252 * KiB,
  /** One drill report: every member keeps every one. */
  drillReportSizeMax: 16 * KiB,
  /** Bytes a second, wherever a rate is limited at all: a leaf must arrive while its reader is patient. */
  rateMin: 16 * KiB,
  /** One fact. */
  factSizeMax: 64 * KiB,
  /** age recipients of one key record: hybrid ones take 2 KiB each, and a record is a fact. */
  keyRecipientsMax: 16,
  /** Epochs of one dataset: every member keeps a recipient of 2 KiB for each. */
  keyEpochsMax: 4096,
  /** Packs described by one pack segment fact (40 bytes each). */
  packSegmentEntriesMax: 1024,
  /** Leaves asked for by one pull request. */
  pullLeavesMax: 16,
  /** Pull requests under way on one stream: with pullLeavesMax this bounds what a slow reader must buffer. */
  pullsOutstandingMax: 4,
  /** Statements in one response. */
  statementsPerResponse: 256,
  /** Facts asked for in one request. */
  factsPerRequest: 12,
  /** Snapshots whose locks are asked for in one request. */
  locksPerRequest: 256,
  /** Packs named by one inspection request. */
  inspectPacksMax: 256,
  /** Chunk list entries kept inside a tree entry; longer lists become chunks of their own. */
  inlineExtentsMax: 256,
  /** Datasets of one writer: each is a sequence that every member keeps and names when heads are compared. */
  datasetsPerWriterMax: 1024,
  /** Members of a cluster. */
  membersMax: 200,
  /** How long an invite may live. */
  inviteTtlMaxMs: dayMs,
  /** A request that moves no bulk data. */
  requestTimeoutMs: 20 * secondMs,
  /** A shard offer: the peer pulls up to a whole pack meanwhile. */
  offerTimeoutMs: 10 * minuteMs,
  /** No byte for this long ends a pull. */
  pullIdleTimeoutMs: 30 * secondMs,
  /** Anti-entropy with each connected peer. */
  syncPeriodMs: 10 * secondMs,
  /** Unconnected members are dialled again this often. */
  reconnectPeriodMs: 3 * secondMs,
  /**
   * Bytes being sealed, coded and sent at once by one backup, beside its two open packs. A pack counts twice while it is
   * coded: with less than a third one, nothing would be read meanwhile.
   */
  backupBytesInFlightMax: 48 * MiB,
  /**
   * What one backup stores again so that mostly dead packs can go: it should not be felt, and hourly backups come to
   * 24 GiB a day all the same.
   */
  repackBytesMax: 1 * GiB,
  /** What a member without a grant may read at once, and how fast after that: browsing needs little. */
  ungrantedBurst: 64 * MiB,
  ungrantedBytesPerSecond: 8 * MiB,
  /**
   * How often a member may read one shard in a day to rebuild others of its pack: once for each of three losses of a
   * day, and once more where that breaks. Whoever carries shards off needs each only once: the sum of bytes is what binds.
   */
  repairReadsPerShardAndDay: 4,
  /** Of one reader: enough leaves a day to find a peer that has lost one in a hundred. */
  auditReadsPerDay: 1024 * MiB,
  /** Opened frames kept by a restore. */
  restoreCacheBytesMax: 64 * MiB,
  /**
   * Each shard of a pack may be deleted in turns of its own: between the windows of two turns lies a day, in which
   * a mistake can still be stopped. 31 hours move the window through the day, for hosts that are off at night.
   */
  deletionTurnMs: 31 * hourMs,
  deletionWindowMs: 7 * hourMs,
  /** Of its capacity a host deletes no more in a day, so that a wrong decision leaves time to be noticed. */
  deletionPercentPerDay: 2,
  /** A small disk may pass that share. */
  deletionBytesPerDayMin: 1 * GiB,
  /** What no snapshot has ever named may belong to a backup that still runs. */
  orphanGraceMs: 30 * dayMs,
  /** Of one source, while no newer snapshot of it has come: its first backup may take months on a slow line. */
  orphanSilentGraceMs: 90 * dayMs,
} as const;

assert(
  limits.deletionTurnMs - limits.deletionWindowMs >= dayMs,
  'a day lies between two turns of deletion',
);
assert(limits.orphanSilentGraceMs >= limits.orphanGraceMs, 'a silent source gets more time');

assert(limits.packSizeTarget + 2 * limits.frameSizeMax <= limits.packSizeMax, 'a full pack fits');
assert(
  (limits.packSizeMax / limits.leafSize) * 32 + limits.shardsMax * 32 + 1024 < limits.factSizeMax,
  'a shard head stays small',
);
assert(
  limits.factsPerRequest * limits.factSizeMax < limits.messageSizeMax,
  'a facts response fits a message',
);
assert(limits.statementSizeMax + 4 * KiB <= limits.envelopeSizeMax, 'a statement fits a command');
assert(limits.envelopeSizeMax * 2 < limits.messageSizeMax, 'a statement fits a message');
assert(limits.packSegmentEntriesMax * 40 <= limits.factSizeMax, 'a pack segment is a fact');
