import { HoldfastError } from '../../core/errors.ts';
import { hash } from '../../core/crypto/hash.ts';
import { concat } from '../../base/bytes.ts';
import type { DrillFidelity, DrillReport, DrillTimes } from '../../core/policy/drill-report.ts';
import type { DrillCheck } from '../../core/policy/drill-verdict.ts';
import type { Probe } from '../../core/policy/restore-plan.ts';
import type { ProbeRunner } from '../../ports/probe.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { StagingArea, StagingAreas } from '../../ports/staging.ts';
import type { ManifestRecord } from '../ledger.ts';
import { type RestoreOrder, type RestoreSummary, restoreSnapshot } from '../restore.ts';
import { RestoreFilter } from '../restore-filter.ts';
import type { SnapshotPath, SnapshotReader } from '../snapshot-reader.ts';
import type { OpenedSnapshot } from '../snapshot-session.ts';
import { checkStaged } from './staged-checks.ts';
import { StagedTree } from './staged-tree.ts';

export type DrillOrder = {
  /** Empty: all of the snapshot. */
  readonly path: SnapshotPath;
  /** Restore a random part of about this size. */
  readonly sampleBytes?: number;
  /** 32 unpredictable bytes: which files a sample draws. */
  readonly seed: Uint8Array;
  /** More than this is never staged. */
  readonly bytesMax: number;
  readonly checks: readonly Probe[];
  readonly runsCommands: boolean;
  readonly keeps: boolean;
  /** Compares the restored files with something; how many differ. */
  readonly compare?: (staged: string) => Promise<readonly string[]>;
};

export type DrillEvent =
  | { type: 'phase'; phase: 'restore' | 'verify' | 'check' }
  | {
      type: 'status';
      phase: 'restore' | 'verify';
      filesDone: number;
      filesTotal: number;
      bytesDone: number;
      bytesTotal: number;
      current: string;
    }
  | { type: 'problem'; path: string; reason: string; isLost: boolean }
  | { type: 'notice'; message: string }
  | { type: 'done'; result: DrillResult };

export type DrillResult = {
  readonly record: ManifestRecord;
  readonly scope: DrillReport['scope'];
  readonly times: DrillTimes;
  readonly isRtoReckoned: boolean;
  readonly restored: NonNullable<DrillReport['restored']>;
  readonly sites: readonly string[];
  readonly fidelity: DrillFidelity;
  readonly checks: readonly DrillCheck[];
  /** Where the files were staged; they are still there when `isKept`. */
  readonly staged: string;
  readonly isKept: boolean;
};

export type DrillRunOptions = {
  readonly order: DrillOrder;
  /** When it began, by the monotonic clock: before the members were met. */
  readonly beganMs: number;
  readonly opened: Omit<OpenedSnapshot, 'places'> & { readonly record: ManifestRecord };
  readonly staging: StagingAreas;
  readonly probes: ProbeRunner;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

const statusPeriodMs = 100;
/** Entries with limited attributes that are remembered by path. */
const limitedMax = 200_000;

/**
 * Restores a snapshot into a staging area, reads it back and compares, asks whether it is well, and measures.
 * @throws HoldfastError disk-full | limit-exceeded (more than may be staged) | not-found (the path) | ...
 */
export async function* runDrill(options: DrillRunOptions): AsyncGenerator<DrillEvent> {
  yield* new DrillRun(options).run();
}

class DrillRun {
  readonly #options: DrillRunOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #limited = new Set<string>();
  #firstByteMs: number | undefined;
  #bytes = 0;

  constructor(options: DrillRunOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  async *run(): AsyncGenerator<DrillEvent> {
    const { order, opened } = this.#options;
    const { reader } = opened;
    const size = this.#size();
    if (size.bytes > order.bytesMax) throw tooMuch(order.bytesMax);
    await using staging = await this.#options.staging.open(size);
    const findMs = this.#elapsed();
    const filter = { include: [], exclude: [], ...this.#drawing(reader) };
    const summary = yield* this.#restore(staging, filter);
    const restoredMs = this.#elapsed();
    const { counts } = yield* this.#verify(staging, filter, summary);
    const verifiedMs = this.#elapsed();
    yield { type: 'phase', phase: 'check' };
    const { probes } = this.#options;
    const checked = { probes, staged: staging.path, signal: this.#signal };
    const checks = await checkStaged(order, checked);
    for (const { outcome, kind, detail } of checks) {
      if (outcome !== 'healthy') yield { type: 'notice', message: `check (${kind}): ${detail}` };
    }
    const endMs = this.#elapsed();
    const live = yield* this.#compareLive(staging);
    if (order.keeps) staging.keep();
    const times = {
      findMs,
      ...(this.#firstByteMs === undefined ? {} : { firstByteMs: this.#firstByteMs }),
      restoreMs: restoredMs - findMs,
      verifyMs: verifiedMs - restoredMs,
      checksMs: endMs - verifiedMs,
    };
    yield {
      type: 'done',
      result: {
        record: opened.record,
        scope: this.#scope(),
        ...this.#rto(times, summary),
        restored: restoredOf(summary, times.restoreMs),
        sites: summary.sites,
        fidelity: { ...counts, ...(live === undefined ? {} : { liveDifferences: live }) },
        checks,
        staged: staging.path,
        isKept: order.keeps,
      },
    };
  }

  #elapsed(): number {
    return Math.round(this.#options.clock.monotonicMs() - this.#options.beganMs);
  }

  #scope(): DrillReport['scope'] {
    const { order } = this.#options;
    if (order.sampleBytes !== undefined) return 'sample';
    return order.path.length === 0 ? 'all' : 'path';
  }

  /** Of a part that a path names nothing is known yet: what it takes is watched while it comes. */
  #size(): { bytes: number; files: number } {
    const { order, opened } = this.#options;
    const { bytes, files } = opened.reader.manifest.totals;
    if (order.path.length > 0) return { bytes: 0, files: 0 };
    if (order.sampleBytes === undefined) return { bytes, files };
    const share = Math.min(1, order.sampleBytes / Math.max(1, bytes));
    return { bytes: Math.min(bytes, order.sampleBytes), files: Math.ceil(files * share) };
  }

  /** Each file with the same chance, whatever its size: the sample is of about the size asked for. */
  #drawing(reader: SnapshotReader): { draws?: (path: Uint8Array) => boolean } {
    const { sampleBytes, seed } = this.#options.order;
    const { bytes } = reader.manifest.totals;
    if (sampleBytes === undefined || sampleBytes >= bytes) return {};
    const below = (sampleBytes / bytes) * 2 ** 32;
    return {
      draws: (path) => {
        const digest = hash('fact', concat([seed, path]));
        return new DataView(digest.buffer, digest.byteOffset).getUint32(0) < below;
      },
    };
  }

  async *#restore(
    staging: StagingArea,
    filter: Pick<RestoreOrder, 'include' | 'exclude' | 'draws'>,
  ): AsyncGenerator<DrillEvent, RestoreSummary> {
    const { order, opened, clock } = this.#options;
    yield { type: 'phase', phase: 'restore' };
    const restore = restoreSnapshot({
      reader: opened.reader,
      target: staging.target,
      order: {
        ...filter,
        snapshot: opened.record.hash,
        path: order.path,
        overwrite: 'always',
        dryRun: false,
      },
      clock,
      stats: () => opened.packs.stats,
      onBytes: (count) => this.#arrived(count),
      signal: this.#signal,
    });
    for await (const event of restore) {
      if (event.type === 'summary') return event.summary;
      if (event.type === 'status') yield { ...event, phase: 'restore' };
      else if (event.type === 'problem') {
        if (!event.isLost && this.#limited.size < limitedMax) this.#limited.add(event.path);
        yield event;
      }
    }
    throw new HoldfastError('failed', 'the restore ended without a summary');
  }

  #arrived(count: number): void {
    this.#firstByteMs ??= this.#elapsed();
    this.#bytes += count;
    const { bytesMax } = this.#options.order;
    if (this.#bytes > bytesMax) this.#stop.abort(tooMuch(bytesMax));
  }

  async *#verify(
    staging: StagingArea,
    filter: Pick<RestoreOrder, 'include' | 'exclude' | 'draws'>,
    summary: RestoreSummary,
  ): AsyncGenerator<DrillEvent, StagedTree> {
    const { order, opened, clock } = this.#options;
    yield { type: 'phase', phase: 'verify' };
    const tree = new StagedTree({
      ...{ reader: opened.reader, staging, path: order.path, signal: this.#signal },
      filter: new RestoreFilter(filter),
      isLimited: (path) => this.#limited.has(path),
    });
    let toldMs = clock.monotonicMs();
    for await (const { path, differs } of tree.verify()) {
      if (differs !== undefined) yield { type: 'problem', path, reason: differs, isLost: false };
      if (clock.monotonicMs() - toldMs < statusPeriodMs) continue;
      toldMs = clock.monotonicMs();
      const { entries, bytes } = tree.counts;
      yield {
        ...{ type: 'status', phase: 'verify', current: path },
        ...{ filesDone: entries, filesTotal: summary.files + summary.directories + summary.others },
        ...{ bytesDone: bytes, bytesTotal: summary.bytes },
      };
    }
    return tree;
  }

  async *#compareLive(staging: StagingArea): AsyncGenerator<DrillEvent, number | undefined> {
    const { compare } = this.#options.order;
    if (compare === undefined) return undefined;
    const differences = await compare(staging.path);
    for (const what of differences) yield { type: 'notice', message: `live: ${what}` };
    return differences.length;
  }

  /** The whole takes as long as its part, and the rest at the part's speed. */
  #rto(
    times: DrillTimes,
    { bytes }: RestoreSummary,
  ): { times: DrillTimes; isRtoReckoned: boolean } {
    const { findMs = 0, restoreMs = 0, verifyMs = 0, checksMs = 0 } = times;
    const measured = findMs + restoreMs + verifyMs + checksMs;
    const { totals } = this.#options.opened.reader.manifest;
    if (this.#scope() === 'all')
      return { times: { ...times, rtoMs: measured }, isRtoReckoned: false };
    if (this.#scope() === 'path' || bytes === 0) {
      return { times: { ...times, rtoMs: measured }, isRtoReckoned: false };
    }
    const factor = Math.max(1, totals.bytes / bytes);
    const rtoMs = Math.round(findMs + (restoreMs + verifyMs) * factor + checksMs);
    return { times: { ...times, rtoMs }, isRtoReckoned: true };
  }
}

function restoredOf(
  summary: RestoreSummary,
  restoreMs: number,
): NonNullable<DrillReport['restored']> {
  const { files, directories, others, bytes, bytesFetched, packsDecoded } = summary;
  return {
    ...{ files, directories, others, bytes, bytesFetched, packsDecoded },
    bytesPerSecond: Math.round((bytes * 1000) / Math.max(1, restoreMs)),
    lost: summary.filesLost,
    problems: summary.problems,
  };
}

function tooMuch(bytesMax: number): HoldfastError {
  return new HoldfastError('limit-exceeded', `the drill would stage more than ${bytesMax} bytes`, {
    next: 'allow more (--max-size 100GiB), or restore a part (--sample 1GiB)',
  });
}
