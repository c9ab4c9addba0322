import { printable } from '../base/bytes.ts';
import type { Channel } from '../base/channel.ts';
import { Semaphore } from '../base/concurrency.ts';
import { HoldfastError } from '../core/errors.ts';
import { encodePackSegments } from '../core/format/facts.ts';
import type { PackType } from '../core/format/frame.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import type { Changes, Manifest } from '../core/format/records.ts';
import { encodeRoot } from '../core/format/root.ts';
import { shardSizeOf } from '../core/format/shard.ts';
import type { DatasetId, FactHash } from '../core/ids.ts';
import { idOf } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Code } from '../core/policy/code-choice.ts';
import { codeInWords } from '../core/policy/code-choice.ts';
import type { Durability } from '../core/policy/durability.ts';
import type { LoopWatch } from '../ports/loop-watch.ts';
import type { TracedJob, BackupOptions, BackupProgress, BackupResult } from './backup.ts';
import { ContentSink } from './content-sink.ts';
import type { KnownSegment } from './dataset-index.ts';
import { FileReader } from './file-reader.ts';
import { rememberFinished } from './finished-directories.ts';
import { IndexWriter } from './index-writer.ts';
import type { ManifestRecord } from './ledger.ts';
import { PackPlacer } from './pack-placer.ts';
import type { WrittenPack } from './pack-writer.ts';
import { blobOf, PackWriter } from './pack-writer.ts';
import { nothingToBackUp } from './path-exists.ts';
import { Recoder } from './recoder.ts';
import { Repacker } from './repacker.ts';
import { StalePacks } from './stale-packs.ts';
import { TreeScan } from './tree-scan.ts';

const progressPeriodMs = 200;
const readLanes = 4;
const packsPerRemembering = 4;
/** Listed in the root; the others are only counted. */
const unstableListedMax = 1000;

/** One backup on its way: everything that belongs to it alone. */
export class BackupRun implements Disposable {
  readonly #o: BackupOptions;
  readonly #job: TracedJob;
  readonly #channel: Channel<BackupProgress>;
  readonly #signal: AbortSignal;
  readonly #code: Code;
  readonly #startMs: number;
  readonly #sink: ContentSink;
  readonly #scan: TreeScan;
  readonly #index: IndexWriter;
  readonly #placer: PackPlacer;
  readonly #loop: LoopWatch | undefined;
  readonly #stale: StalePacks;
  readonly #repacker: Repacker | undefined;
  #problems = 0;
  #packsRecoded = 0;
  #packsRepacked = 0;
  #bytesSent = 0;
  /** Ahead of the counts, which know a file only once it is complete. */
  #bytesReadSoFar = 0;
  #bytesStored = 0;
  #lastProgressMs = 0;
  readonly #unstable: { path: Uint8Array; reason: string }[] = [];
  readonly #writers: PackWriter[] = [];

  constructor(
    options: BackupOptions,
    job: TracedJob,
    channel: Channel<BackupProgress>,
    signal: AbortSignal,
  ) {
    this.#o = options;
    this.#job = job;
    this.#channel = channel;
    this.#signal = signal;
    const { self: writer } = options;
    const of = { writer, dataset: job.own.dataset.id };
    this.#code = options.view.code(of);
    this.#startMs = options.clock.monotonicMs();
    this.#loop = options.watchLoop?.();
    this.#sink = this.#createSink();
    this.#scan = this.#createScan();
    this.#placer = new PackPlacer({ ...options, of });
    this.#stale = new StalePacks(options, job.own);
    this.#repacker = Repacker.of(options, job);
    this.#index = this.#createIndexWriter();
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
      onDurable: () => this.#rememberSome(),
      bytesInFlightMax: isDry ? Number.POSITIVE_INFINITY : limits.backupBytesInFlightMax,
    });
  }

  #writer(type: PackType, onPack: (written: WrittenPack) => void): PackWriter {
    const { compute, sealer, entropy } = this.#o;
    const writer = new PackWriter({
      dataset: this.#dataset,
      recipient: this.#job.own.dataset.recipient,
      keyEpoch: this.#job.own.dataset.keyEpoch,
      type,
      code: type === 'data' ? { k: this.#code.k, m: this.#code.m } : { k: 1, m: 0 },
      compressionLevel: this.#job.compressionLevel,
      compute,
      sealer,
      entropy,
      takeOrdinal: () => this.#job.own.index.takeOrdinal(),
      onPack,
      onProgress: () => this.#sink.progress(),
    });
    this.#writers.push(writer);
    return writer;
  }

  /** Erases the keys of packs that were begun and not closed. */
  [Symbol.dispose](): void {
    for (const writer of this.#writers) writer.erase();
    this.#loop?.[Symbol.dispose]();
    this.#job.own.index.forgetIds();
    this.#job.own.index.mostlyDead.avoidNone();
  }

  #createIndexWriter(): IndexWriter {
    const { index, chunking } = this.#job.own;
    return new IndexWriter({
      index,
      idKey: chunking.idKey,
      clock: this.#o.clock,
      openWriter: (onPack) => this.#writer('metadata', onPack),
      place: async (written) => {
        await this.#place(written);
        this.#scan.neededPacks.add(written.ordinal);
        this.#sink.bytesWritten += written.entry.size;
      },
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
        onProgress: (name, bytes) => {
          this.#bytesReadSoFar += bytes;
          this.#report(name);
        },
      }),
      selection,
      idKey: own.chunking.idKey,
      clock,
      pendingFiles: new Semaphore(1024),
      pendingDirectories: new Semaphore(512),
      force,
      canaries: this.#job.canaries,
      signal: this.#signal,
      onProblem: (path, reason, isUnstable) => this.#problem(path, reason, isUnstable),
      onProgress: (path) => this.#report(path),
    });
  }

  #problem(path: Uint8Array, reason: string, isUnstable: boolean): void {
    this.#problems++;
    if (isUnstable && this.#unstable.length < unstableListedMax)
      this.#unstable.push({ path, reason });
    this.#channel.push({ kind: 'problem', path, reason });
  }

  #current = '';
  #report(path: Uint8Array | undefined): void {
    const nowMs = this.#o.clock.monotonicMs();
    if (path !== undefined) this.#current = printable(path);
    if (nowMs - this.#lastProgressMs < progressPeriodMs) return;
    this.#lastProgressMs = nowMs;
    const { counts } = this.#scan;
    this.#channel.latest({
      kind: 'status',
      counts: { ...counts, bytes: counts.bytes - counts.bytesRead + this.#bytesReadSoFar },
      bytesSent: this.#bytesSent,
      current: this.#current,
      elapsedMs: nowMs - this.#startMs,
    });
  }

  /** Where a pack goes, and its way there. */
  async #place(written: WrittenPack): Promise<void> {
    const assignments = this.#placer.assign(written, this.#code);
    this.#bytesStored +=
      shardSizeOf({ k: written.entry.k, packSize: written.entry.size }) * assignments.length;
    const { bytesSent } = await this.#o.distributor.place(
      written,
      this.#dataset,
      assignments,
      this.#job.trace,
    );
    this.#bytesSent += bytesSent;
    const agents = assignments.map(({ agent }) => agent);
    await this.#job.own.index.unsigned.note(written.ordinal, agents);
    this.#report(undefined);
  }

  async run(): Promise<BackupResult> {
    if (!this.#job.dryRun) {
      await this.#stale.forget(this.#before());
      await this.#repacker?.avoid();
    }
    const tree = await this.#store();
    if (this.#job.dryRun) return this.#result(undefined, undefined);
    await this.#rememberDirectories();
    this.#packsRepacked = (await this.#repacker?.forget(this.#scan.neededPacks)) ?? 0;
    this.#packsRecoded = await this.#recode();
    const segments = await this.#index.writeSegments();
    const root = await this.#writeRoot(tree, segments.all);
    this.#signal.throwIfAborted();
    const manifest = await this.#manifest(root, segments.all);
    await this.#stale.refuseExpired();
    const { committer } = this.#o;
    const { own, right } = this.#job;
    const signed = await right.sign(own.dataset, () => committer.sign(manifest));
    const { record, durability } = await committer.collect(signed, this.#job.trace);
    await own.index.replaceSegments(segments.removed, segments.added);
    await this.#stale.noteSigned(record);
    await this.#repacker?.note(this.#scan.usedBytes, manifest.sequence);
    return this.#result(record, durability);
  }

  /** The newest own snapshot of the dataset; what another writes under its id is another's. */
  #before(): ManifestRecord | undefined {
    const { ledger, self } = this.#o;
    return ledger.manifests(this.#dataset).findLast(({ statement }) => statement.writer === self);
  }

  /** Old packs that the snapshot needs, with the code that there are sites for today. */
  async #recode(): Promise<number> {
    const before = this.#before();
    const { recoding, own } = this.#job;
    if (recoding === undefined || before === undefined) return 0;
    const { peers, distributor, ledger, self, openShards } = this.#o;
    const member = ledger.roster.member(self);
    const shards = openShards?.();
    if (member === undefined || shards === undefined) return 0;
    const recoder = new Recoder({
      ...{ ...this.#o, index: own.index, shards, selfPeer: member.peerKey },
      reachable: () => [...peers.reachable(), member],
      place: (written) => this.#place(written),
      isWaiting: (pack) => distributor.isWaiting(pack),
    });
    const ordinals = this.#scan.neededPacks;
    const asked = { ...recoding, ordinals, before, code: this.#code, signal: this.#signal };
    return (await recoder.run(asked)).packs;
  }

  /** Everything selected, stored and durable. @returns the root directory's stream. */
  async #store(): Promise<readonly Uint8Array[]> {
    const top = await this.#o.source.open(Uint8Array.of(0x2f));
    const tree = await this.#scan.run(top);
    for (const path of this.#job.selection.missing()) this.#problem(path, 'not found', false);
    if (this.#job.selection.missing().length === this.#job.paths.length) {
      throw nothingToBackUp(this.#job.paths);
    }
    await this.#sink.flush('data');
    await this.#sink.flush('metadata');
    return tree;
  }

  /** Now and then while the backup runs, so that a large tree neither fills the memory nor is lost to a crash. */
  async #rememberSome(): Promise<void> {
    if (this.#sink.packsWritten % packsPerRemembering === 0) await this.#rememberDirectories();
  }

  /** Those finished directories whose packs are all durable by now. */
  async #rememberDirectories(): Promise<void> {
    const finished = this.#scan.finished.splice(0);
    const { clock } = this.#o;
    const others = await rememberFinished(finished, { index: this.#job.own.index, clock });
    this.#scan.finished.push(...others);
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
    const [record] = await this.#index.writeBlobs([root]);
    return record as IndexRecord;
  }

  async #manifest(root: IndexRecord, segments: readonly KnownSegment[]): Promise<Manifest> {
    const { own, tags, annotations, host, program } = this.#job;
    const { ledger, clock, facts } = this.#o;
    const before = this.#before();
    const ordinals = new Set(this.#scan.neededPacks);
    for (const { blob } of segments) {
      const ordinal = own.index.ordinalOf(blob.pack);
      if (ordinal !== undefined) ordinals.add(ordinal);
    }
    const keyEpochs = new Set([own.dataset.keyEpoch]);
    const entries = [...ordinals].map((ordinal) => {
      const pack = own.index.pack(ordinal);
      if (pack === undefined) throw new HoldfastError('failed', `pack ${ordinal} was never stored`);
      keyEpochs.add(pack.keyEpoch);
      return pack.entry;
    });
    const packSegments = encodePackSegments(entries);
    for (const segment of packSegments) await facts.put(segment.hash, segment.bytes);
    const { counts } = this.#scan;
    return {
      dataset: own.dataset.id,
      // Never lower than before: that would be a rollback to everybody.
      writerEpoch: Math.max(this.#job.incarnation + 1, before?.manifest.writerEpoch ?? 1),
      sequence: (before?.manifest.sequence ?? 0) + 1,
      previous: before?.hash,
      snapshotKind: before === undefined ? 'full' : 'increment',
      policyVersion: ledger.roster.policy.version,
      keyEpoch: own.dataset.keyEpoch,
      ...(keyEpochs.size > 1 && { keyEpochs: [...keyEpochs].sort((a, b) => a - b) }),
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
      ...(annotations.length > 0 && { annotations }),
      host,
      program,
      surviveSites: ledger.roster.policy.surviveSites,
      changes: this.#changes(),
    };
  }

  #changes(): Changes {
    const { changes, counts } = this.#scan;
    const { filesDeleted, namesSuspect, canariesBroken } = changes;
    const filesCompared = counts.filesUnmodified + counts.filesChanged + filesDeleted;
    const { bytesNew, bytesDense } = this.#sink;
    return { filesCompared, filesDeleted, namesSuspect, canariesBroken, bytesNew, bytesDense };
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
      packsRecoded: this.#packsRecoded,
      packsRepacked: this.#packsRepacked,
      durationMs: this.#o.clock.monotonicMs() - this.#startMs,
      loopDelayP99Ms: this.#loop?.p99Ms(),
    };
  }
}

/** A dry run recognises chunks and stores none. */
const dryWriter = { add: () => 0, flush: () => Promise.resolve(), bytesInProgress: 0 };
