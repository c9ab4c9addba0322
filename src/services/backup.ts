import { Channel } from '../base/channel.ts';
import { printable } from '../base/bytes.ts';
import { Semaphore } from '../base/concurrency.ts';
import { HoldfastError } from '../core/errors.ts';
import { encodePackSegments } from '../core/format/facts.ts';
import { encodeIndexSegment, indexSegmentRecordsMax } from '../core/format/index-segment.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import type { PackType } from '../core/format/frame.ts';
import type { Manifest, Role } from '../core/format/records.ts';
import { encodeRoot } from '../core/format/root.ts';
import { KeyedHasher } from '../core/crypto/hash.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { idOf } from '../core/ids.ts';
import type { FactHash } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { codeInWords } from '../core/policy/code-choice.ts';
import type { Code } from '../core/policy/code-choice.ts';
import type { Durability } from '../core/policy/durability.ts';
import { placeCopies, placeShards } from '../core/policy/placement.ts';
import type { Assignment, Candidate } from '../core/policy/placement.ts';
import type { Compute } from '../ports/compute.ts';
import type { Clock, Entropy, Log } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { Source } from '../ports/source.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Committer } from './committer.ts';
import { ContentSink } from './content-sink.ts';
import type { KnownSegment } from './dataset-index.ts';
import type { OwnDataset } from './datasets.ts';
import type { Distributor } from './distributor.ts';
import type { DurabilityView } from './durability-view.ts';
import { FileReader } from './file-reader.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import { blobOf, PackWriter } from './pack-writer.ts';
import type { WrittenPack } from './pack-writer.ts';
import type { Peers } from './peers.ts';
import type { Selection } from './selection.ts';
import { TreeScan } from './tree-scan.ts';
import type { ScanCounts } from './tree-scan.ts';

export type BackupJob = {
  readonly own: OwnDataset;
  readonly paths: readonly Uint8Array[];
  readonly selection: Selection;
  readonly tags: readonly string[];
  readonly host: string;
  readonly program: string;
  readonly compressionLevel: number;
  readonly dryRun: boolean;
  readonly force: boolean;
};

export type BackupProgress =
  | { readonly kind: 'status'; readonly counts: ScanCounts; readonly bytesSent: number; readonly current: string; readonly elapsedMs: number }
  | { readonly kind: 'problem'; readonly path: Uint8Array; readonly reason: string }
  | { readonly kind: 'done'; readonly result: BackupResult };

export type BackupResult = {
  /** Undefined after a dry run. */
  readonly record: ManifestRecord | undefined;
  readonly durability: Durability | undefined;
  readonly counts: ScanCounts;
  readonly code: Code;
  readonly words: string;
  readonly problems: number;
  readonly missingSites: readonly string[];
  /** Sealed bytes written for this snapshot, before and after coding. */
  readonly bytesAdded: number;
  readonly bytesStored: number;
  readonly durationMs: number;
};

export type BackupOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Peers;
  readonly source: Source;
  readonly compute: Compute;
  readonly sealer: Sealer;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly log: Log;
  readonly facts: FactStore;
  readonly distributor: Distributor;
  readonly committer: Committer;
  readonly view: DurabilityView;
};

const progressPeriodMs = 200;
/** Index segments smaller than half their bound are merged once there are more than this. */
const smallSegmentsMax = 16;
const readLanes = 2;

/** source -> scan -> chunk -> known? skip -> seal into pack -> code -> shards -> peers -> receipts -> manifest. */
export class Backup {
  readonly #options: BackupOptions;
  readonly #turn = new Semaphore(1);

  constructor(options: BackupOptions) {
    this.#options = options;
  }

  /** Runs one backup; a second one waits for its turn. Aborting keeps what is durable for the next run. */
  run(job: BackupJob, signal: AbortSignal): AsyncIterable<BackupProgress> {
    const channel = new Channel<BackupProgress>();
    const work = async (): Promise<void> => {
      const release = await this.#turn.acquire();
      try {
        const run = new BackupRun(this.#options, job, channel, signal);
        channel.push({ kind: 'done', result: await run.run() });
        channel.end();
      } finally {
        release();
      }
    };
    work().catch((error: unknown) => channel.fail(error));
    return channel;
  }
}

class BackupRun {
  readonly #o: BackupOptions;
  readonly #job: BackupJob;
  readonly #channel: Channel<BackupProgress>;
  readonly #signal: AbortSignal;
  readonly #code: Code;
  readonly #startMs: number;
  readonly #sink: ContentSink;
  readonly #scan: TreeScan;
  #problems = 0;
  #bytesSent = 0;
  #bytesStored = 0;
  #lastProgressMs = 0;
  readonly #unstable: { path: Uint8Array; reason: string }[] = [];

  constructor(
    options: BackupOptions,
    job: BackupJob,
    channel: Channel<BackupProgress>,
    signal: AbortSignal,
  ) {
    this.#o = options;
    this.#job = job;
    this.#channel = channel;
    this.#signal = signal;
    this.#code = options.view.code();
    this.#startMs = options.clock.monotonicMs();
    this.#sink = this.#createSink();
    this.#scan = this.#createScan();
  }

  get #dataset(): DatasetId {
    return this.#job.own.dataset.id;
  }

  #createSink(): ContentSink {
    const accept = (written: WrittenPack): void => this.#sink.accept(written);
    const isDry = this.#job.dryRun;
    return new ContentSink({
      index: this.#job.own.index,
      writers: {
        data: isDry ? dryWriter : this.#writer('data', accept),
        metadata: isDry ? dryWriter : this.#writer('metadata', accept),
      },
      place: (written) => this.#place(written),
      bytesInFlightMax: isDry ? Number.POSITIVE_INFINITY : limits.backupBytesInFlightMax,
    });
  }

  #writer(type: PackType, onPack: (written: WrittenPack) => void): PackWriter {
    const { compute, sealer, entropy } = this.#o;
    return new PackWriter({
      dataset: this.#dataset,
      recipient: this.#job.own.dataset.recipient,
      type,
      code: type === 'data' ? { k: this.#code.k, m: this.#code.m } : { k: 1, m: 0 },
      compressionLevel: this.#job.compressionLevel,
      compute,
      sealer,
      entropy,
      takeOrdinal: () => this.#job.own.index.takeOrdinal(),
      onPack,
    });
  }

  #createScan(): TreeScan {
    const { source, clock } = this.#o;
    const { own, selection, force } = this.#job;
    return new TreeScan({
      source,
      index: own.index,
      sink: this.#sink,
      reader: new FileReader({
        source,
        chunking: own.chunking,
        sink: this.#sink,
        lanes: readLanes,
        signal: this.#signal,
        onProgress: () => this.#report(undefined),
      }),
      selection,
      idKey: own.chunking.idKey,
      clock,
      pendingFiles: new Semaphore(4096),
      pendingDirectories: new Semaphore(512),
      force,
      signal: this.#signal,
      onProblem: (path, reason, isUnstable) => this.#problem(path, reason, isUnstable),
      onProgress: (path) => this.#report(path),
    });
  }

  #problem(path: Uint8Array, reason: string, isUnstable: boolean): void {
    this.#problems++;
    if (isUnstable && this.#unstable.length < 1000) this.#unstable.push({ path, reason });
    this.#channel.push({ kind: 'problem', path, reason });
  }

  #current = '';
  #report(path: Uint8Array | undefined): void {
    const nowMs = this.#o.clock.monotonicMs();
    if (path !== undefined) this.#current = printable(path);
    if (nowMs - this.#lastProgressMs < progressPeriodMs) return;
    this.#lastProgressMs = nowMs;
    this.#channel.latest({
      kind: 'status',
      counts: { ...this.#scan.counts },
      bytesSent: this.#bytesSent,
      current: this.#current,
      elapsedMs: nowMs - this.#startMs,
    });
  }

  /** Where a pack goes, and its way there. */
  async #place(written: WrittenPack): Promise<void> {
    const assignments = this.#assign(written);
    const { bytesSent } = await this.#o.distributor.place(written, this.#dataset, assignments);
    this.#bytesSent += bytesSent;
    const shardSize = (written.encoded.shards[0] as Uint8Array).length;
    this.#bytesStored += shardSize * assignments.length;
    this.#report(undefined);
  }

  #assign(written: WrittenPack): readonly Assignment[] {
    const candidates = this.#candidates();
    const seed = written.encoded.roots[0] as Uint8Array;
    if (written.entry.type === 'metadata') {
      return placeCopies({ seed, candidates, copiesMax: limits.metadataCopiesMax }).assignments;
    }
    const { k, m, sites } = this.#code;
    const indexes = k === 1 ? new Array<number>(sites).fill(0) : [...new Array(k + m).keys()];
    return placeShards({ seed, candidates, indexes }).assignments;
  }

  #candidates(): Candidate[] {
    const { ledger, peers, self } = this.#o;
    const storage: Role = 'storage';
    return ledger.roster
      .members()
      .filter((member) => member.hasRole(storage))
      .map((member) => ({
        agent: member.agentKey,
        site: member.site,
        region: member.region,
        weight: peers.freeBytes(member.peerKey) ?? 1,
        isReachable: member.agentKey === self || peers.isReachable(member.peerKey),
      }));
  }

  async run(): Promise<BackupResult> {
    const tree = await this.#store();
    if (this.#job.dryRun) return this.#result(undefined, undefined);
    await this.#rememberDirectories();
    const segments = await this.#writeIndex();
    const root = await this.#writeRoot(tree, segments.all);
    this.#signal.throwIfAborted();
    const manifest = await this.#manifest(root, segments.all);
    const { record, durability } = await this.#o.committer.commit(manifest);
    await this.#job.own.index.replaceSegments(segments.removed, segments.added);
    return this.#result(record, durability);
  }

  /** Everything selected, stored and durable. @returns the root directory's stream. */
  async #store(): Promise<readonly Uint8Array[]> {
    const top = await this.#o.source.open(Uint8Array.of(0x2f));
    const { stored } = await this.#scan.walk(top, new Uint8Array(0), undefined);
    const tree = await stored;
    for (const path of this.#job.selection.missing()) this.#problem(path, 'not found', false);
    if (this.#job.selection.missing().length === this.#job.paths.length) {
      const names = this.#job.paths.map((path) => printable(path)).join(', ');
      throw new HoldfastError('not-found', `nothing to back up: ${names} not found`);
    }
    await this.#sink.flush('data');
    await this.#sink.flush('metadata');
    return tree;
  }

  async #rememberDirectories(): Promise<void> {
    const finished = this.#scan.finished;
    for (let i = 0; i < finished.length; i += 256) {
      await this.#job.own.index.rememberDirectories(finished.slice(i, i + 256));
    }
  }

  /** Packs of its own kind whose chunks need no index: they are named by reference. */
  async #writeBlobs(blobs: readonly Uint8Array[]): Promise<IndexRecord[]> {
    const { own } = this.#job;
    const packs: WrittenPack[] = [];
    const writer = this.#writer('metadata', (written) => packs.push(written));
    const hasher = new KeyedHasher(own.chunking.idKey);
    const ids = blobs.map((blob) => hasher.hash(blob));
    blobs.forEach((blob, i) => {
      writer.add(ids[i] as Uint8Array, blob);
    });
    await writer.flush();
    const records: IndexRecord[] = [];
    for (const written of packs) {
      await this.#place(written);
      await own.index.addPack(written.ordinal, written.entry, []);
      this.#scan.neededPacks.add(written.ordinal);
      this.#sink.bytesWritten += written.entry.size;
      records.push(...written.records);
    }
    const byId = new Map(records.map((record) => [String(record.id), record]));
    return ids.map((id) => byId.get(String(id)) as IndexRecord);
  }

  /** Brings every chunk that is stored into an index segment; merges small segments now and then. */
  async #writeIndex(): Promise<{
    all: KnownSegment[];
    added: KnownSegment[];
    removed: number[];
  }> {
    const { index } = this.#job.own;
    const segments = index.segments();
    const small = segments.filter((segment) => segment.count < indexSegmentRecordsMax / 2);
    const merged = small.length > smallSegmentsMax ? small : [];
    const ordinals = merged.flatMap((segment) => segment.packs);
    for (const pack of index.packs()) if (!pack.isIndexed) ordinals.push(pack.ordinal);
    const groups = this.#groupPacks(ordinals);
    const blobs = groups.map((packs) =>
      encodeIndexSegment(packs.flatMap((ordinal) => index.records(ordinal))),
    );
    const records = await this.#writeBlobs(blobs);
    let number = index.nextSegmentNumber();
    const added = groups.map((packs, i) => ({
      number: number++,
      blob: blobOf(records[i] as IndexRecord),
      count: packs.reduce((sum, ordinal) => sum + index.records(ordinal).length, 0),
      packs,
    }));
    const removed = merged.map((segment) => segment.number);
    const kept = segments.filter((segment) => !removed.includes(segment.number));
    return { all: [...kept, ...added], added, removed };
  }

  /** Packs in order, as many to a segment as its bound allows. */
  #groupPacks(ordinals: readonly number[]): number[][] {
    const groups: number[][] = [];
    let count = 0;
    for (const ordinal of ordinals) {
      const size = this.#job.own.index.records(ordinal).length;
      const last = groups.at(-1);
      if (last === undefined || count + size > indexSegmentRecordsMax) {
        groups.push([ordinal]);
        count = size;
      } else {
        last.push(ordinal);
        count += size;
      }
    }
    return groups;
  }

  async #writeRoot(
    tree: readonly Uint8Array[],
    segments: readonly KnownSegment[],
  ): Promise<IndexRecord> {
    const { own, paths, host } = this.#job;
    const root = encodeRoot({
      tree,
      index: segments.map(({ blob, count }) => ({ blob, count })),
      paths,
      idKey: own.chunking.idKey,
      unstable: this.#unstable,
      host,
    });
    const [record] = await this.#writeBlobs([root]);
    return record as IndexRecord;
  }

  async #manifest(root: IndexRecord, segments: readonly KnownSegment[]): Promise<Manifest> {
    const { own, tags, host, program } = this.#job;
    const { ledger, clock, facts } = this.#o;
    const before = ledger.manifests(own.dataset.id).at(-1);
    const ordinals = new Set(this.#scan.neededPacks);
    const wanted = new Set(segments.map((segment) => segment.blob.pack));
    for (const pack of own.index.packs()) if (wanted.has(pack.entry.pack)) ordinals.add(pack.ordinal);
    const entries = [...ordinals].map((ordinal) => {
      const pack = own.index.pack(ordinal);
      if (pack === undefined) throw new HoldfastError('failed', `pack ${ordinal} was never stored`);
      return pack.entry;
    });
    const packSegments = encodePackSegments(entries);
    for (const segment of packSegments) await facts.put(segment.hash, segment.bytes);
    const { counts } = this.#scan;
    return {
      dataset: own.dataset.id,
      writerEpoch: 1,
      sequence: (before?.manifest.sequence ?? 0) + 1,
      previous: before?.hash,
      snapshotKind: before === undefined ? 'full' : 'increment',
      policyVersion: ledger.roster.policy.version,
      keyEpoch: own.dataset.keyEpoch,
      root: blobOf(root),
      packSegments: packSegments.map(({ hash, count }) => ({ hash: idOf<FactHash>(hash), count })),
      totals: {
        ...counts,
        bytesAdded: this.#sink.bytesWritten,
        chunksNew: this.#sink.chunksNew,
        durationMs: Math.round(clock.monotonicMs() - this.#startMs),
      },
      sourceTimeMs: clock.nowMs(),
      nextByMs: 0,
      tags,
      host,
      program,
      surviveSites: ledger.roster.policy.surviveSites,
    };
  }

  async #result(
    record: ManifestRecord | undefined,
    durability: Durability | undefined,
  ): Promise<BackupResult> {
    return {
      record,
      durability,
      counts: this.#scan.counts,
      code: this.#code,
      words: codeInWords(this.#code),
      problems: this.#problems,
      missingSites: record === undefined ? [] : await this.#o.view.missingSites(record),
      bytesAdded: this.#sink.bytesWritten,
      bytesStored: this.#bytesStored,
      durationMs: this.#o.clock.monotonicMs() - this.#startMs,
    };
  }
}

/** A dry run recognises chunks and stores none. */
const dryWriter = { add: () => 0, flush: () => Promise.resolve() };
