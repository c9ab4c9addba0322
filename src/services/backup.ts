import { Channel } from '../base/channel.ts';
import { Semaphore } from '../base/concurrency.ts';
import { codeOf } from '../core/errors.ts';
import type { Annotation } from '../core/format/records.ts';
import type { AgentKey, TraceId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Code } from '../core/policy/code-choice.ts';
import type { Durability } from '../core/policy/durability.ts';
import type { RepackRule } from '../core/policy/repacking.ts';
import { newTraceId } from '../core/trace-id.ts';
import type { Compute } from '../ports/compute.ts';
import type { LoopWatch } from '../ports/loop-watch.ts';
import type { Clock, Entropy, Log } from '../ports/runtime.ts';
import type { PackSealing, Sealer } from '../ports/sealer.ts';
import type { Source } from '../ports/source.ts';
import type { FactStore } from '../ports/statement-log.ts';
import { BackupRun } from './backup-run.ts';
import type { BackupsUnderWay } from './backups-under-way.ts';
import type { Committer } from './committer.ts';
import type { OwnDataset } from './datasets.ts';
import type { Distributor } from './distributor.ts';
import type { DurabilityView } from './durability-view.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { PackUse } from './pack-use.ts';
import type { Peers } from './peers.ts';
import type { WriteRight } from './plan/write-right.ts';
import type { ShardGatherer } from './repair/shard-gatherer.ts';
import type { Standing } from './standing.ts';
import type { Selection } from './selection.ts';
import type { ScanCounts } from './tree-scan.ts';

/** What a run of it is told of itself. */
export type TracedJob = BackupJob & { readonly trace: TraceId };

export type BackupJob = {
  readonly own: OwnDataset;
  /** That this host holds; 0 of a dataset that no plan has named. */
  readonly incarnation: number;
  readonly right: Pick<WriteRight, 'sign'>;
  readonly paths: readonly Uint8Array[];
  readonly selection: Selection;
  readonly tags: readonly string[];
  readonly annotations: readonly Annotation[];
  readonly host: string;
  readonly program: string;
  readonly compressionLevel: number;
  readonly dryRun: boolean;
  readonly force: boolean;
  /** Absolute paths of files that nobody has reason to touch. */
  readonly canaries: readonly Uint8Array[];
  /** Old packs that may be made anew with the code of today; undefined: none. */
  readonly recoding?: { readonly bytesMax: number; readonly isExpiring: boolean };
  /** Mostly dead packs that may be given up; undefined: none. */
  readonly repacking?: RepackRule & { readonly isExpiring: boolean };
};

export type BackupProgress =
  | {
      readonly kind: 'status';
      readonly counts: ScanCounts;
      readonly bytesSent: number;
      readonly current: string;
      readonly elapsedMs: number;
    }
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
  /** Of older snapshots, made anew with another code. */
  readonly packsRecoded: number;
  /** Mostly dead, of which the snapshot has stored anew what it needs. */
  readonly packsRepacked: number;
  readonly durationMs: number;
  /** Where somebody watched. */
  readonly loopDelayP99Ms: number | undefined;
};

export type BackupOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Peers;
  readonly ownFreeBytes: () => number;
  readonly source: Source;
  readonly compute: Compute;
  /** Seals pack keys where `openSealing` is absent. */
  readonly sealer: Pick<Sealer, 'seal'>;
  /** Seals them where nothing of them stays behind. */
  readonly openSealing?: () => PackSealing;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly watchLoop?: () => LoopWatch;
  readonly log: Log;
  readonly facts: FactStore;
  readonly distributor: Distributor;
  readonly committer: Committer;
  readonly view: DurabilityView;
  readonly packUse: Pick<PackUse, 'unneeded' | 'namedBefore'>;
  readonly standing?: Standing;
  /** Told of each that may place something. */
  readonly underWay?: Pick<BackupsUnderWay, 'begin'>;
  /** Reads old packs to make them anew; undefined: nobody does. */
  readonly openShards?: () => ShardGatherer;
};

/** Expiry takes days: a second race with it is not chance. */
const attemptsMax = 3;

/** source -> scan -> chunk -> known? skip -> seal into pack -> code -> shards -> peers -> receipts -> manifest. */
export class Backup {
  readonly #options: BackupOptions;
  readonly #turn = new Semaphore(1);
  #running = 0;

  constructor(options: BackupOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** Runs one backup; a second one waits for its turn. Aborting keeps what is durable for the next run. */
  run(job: BackupJob, signal: AbortSignal): AsyncIterable<BackupProgress> {
    return Channel.of<BackupProgress>(async (channel) => {
      const release = await this.#turn.acquire();
      this.#running++;
      const end = job.dryRun ? undefined : this.#options.underWay?.begin();
      try {
        const result = await this.#attempt(this.#traced(job), channel, signal);
        return { kind: 'done', result };
      } finally {
        end?.();
        this.#running--;
        release();
      }
    });
  }

  #traced(job: BackupJob): TracedJob {
    const { self, clock, log } = this.#options;
    const dataset = job.own.dataset.id;
    const now = { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const trace = newTraceId(`${self} ${dataset}`, now);
    log.log('info', backupMessages.backupBegins, { dataset, trace });
    return { ...job, trace };
  }

  /** Packs may expire while a backup runs that would have used them: what they held is then stored anew. */
  async #attempt(
    job: TracedJob,
    channel: Channel<BackupProgress>,
    signal: AbortSignal,
  ): Promise<BackupResult> {
    for (let left = attemptsMax - 1; ; left--) {
      try {
        await using sealing = this.#options.openSealing?.();
        if (!job.dryRun) sealing?.begin([job.own.dataset.recipient]);
        const options = { ...this.#options, sealer: sealing ?? this.#options.sealer };
        using run = new BackupRun(options, job, channel, signal);
        return await run.run();
      } catch (error) {
        if (codeOf(error) !== 'pack-expired' || left === 0) throw error;
        this.#options.log.log('info', backupMessages.backupBeginsAgain, {
          reason: (error as Error).message,
          trace: job.trace,
        });
      }
    }
  }
}
