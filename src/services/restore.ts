import { readAhead } from '../base/read-ahead.ts';
import { secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { kindOf } from '../core/format/tree.ts';
import type { ColdEstimate } from '../core/policy/cold-estimate.ts';
import type { PathPattern } from '../core/policy/path-pattern.ts';
import type { Clock } from '../ports/runtime.ts';
import type { Overwrite, RestoreTarget, TargetProblem } from '../ports/target.ts';
import type { PackReaderStats } from './pack-reader.ts';
import { pathReport } from './path-report.ts';
import { RestoreFilter } from './restore-filter.ts';
import { type DirectoryNode, type RestoreStep, RestoreWalk } from './restore-walk.ts';
import { ContentLost, RestoreWriter, type WriteResult } from './restore-writer.ts';
import { joinPath, type SnapshotPath, type SnapshotReader } from './snapshot-reader.ts';
import { type UnderWay, WritesUnderWay } from './writes-under-way.ts';

export type RestoreOrder = {
  /** As the summary shall name it. */
  readonly snapshot: string;
  /** Of a directory, the content is restored; of anything else, itself. */
  readonly path: SnapshotPath;
  /** See paths below `path`. */
  readonly include: readonly PathPattern[];
  readonly exclude: readonly PathPattern[];
  /** Only such files, of those that patterns take. */
  readonly draws?: (path: Uint8Array) => boolean;
  readonly overwrite: Overwrite;
  readonly dryRun: boolean;
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
  /** Files, and whole directories, whose bytes could not be had. */
  filesLost: number;
  /** Restored, but not in every attribute; or refused by the target. */
  problems: number;
  bytes: number;
  bytesFetched: number;
  packsDecoded: number;
  sites: string[];
  durationMs: number;
};

export type RestoreOptions = {
  readonly reader: SnapshotReader;
  readonly target: RestoreTarget;
  readonly order: RestoreOrder;
  readonly clock: Clock;
  /** Of the PackReader behind `reader`. */
  readonly stats: () => PackReaderStats;
  /** Called as content arrives. */
  readonly onBytes?: (count: number) => void;
  readonly signal: AbortSignal;
};

const statusPeriodMs = secondMs / 10;
/** How far the walk may be ahead of the writer. */
const stepsAheadMax = 2000;
/** Each frame counts at its largest size, so that the cache still holds it when its file's turn comes. */
const framesAheadMax = 64;

/**
 * Restores a snapshot or a part of it below the target, in the order of its tree. What cannot be had is
 * reported entry by entry, and the others go on.
 * @throws HoldfastError disk-full | not-found (the path) | whatever makes the snapshot unreadable
 */
export function restoreSnapshot(options: RestoreOptions): AsyncGenerator<RestoreEvent> {
  return new Restore(options).run();
}

class Restore {
  readonly #options: RestoreOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #walk: RestoreWalk;
  readonly #writer: RestoreWriter;
  readonly #root: DirectoryNode;
  readonly #open: DirectoryNode[] = [];
  readonly #startMs: number;
  readonly #before: PackReaderStats;
  readonly #counts = {
    files: 0,
    directories: 0,
    others: 0,
    filesSkipped: 0,
    filesLost: 0,
    problems: 0,
    bytes: 0,
  };
  readonly #underWay = new WritesUnderWay();
  #writing: Promise<WriteResult> | undefined;
  #tick: Promise<false> | undefined;
  #filesDone = 0;
  #bytesDone = 0;
  #statusAtMs: number;

  constructor(options: RestoreOptions) {
    const { reader, order, target } = options;
    this.#options = options;
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#signal = signal;
    this.#startMs = options.clock.monotonicMs();
    this.#statusAtMs = this.#startMs;
    this.#before = options.stats();
    this.#root = {
      parent: undefined,
      entry: reader.rootEntry,
      path: order.path,
      directory: target.root,
      isBlocked: false,
    };
    const filter = new RestoreFilter(order);
    const prefetches = !order.dryRun;
    const { path } = order;
    this.#walk = new RestoreWalk({ reader, filter, path, root: this.#root, prefetches, signal });
    const onBytes = (count: number): void => {
      this.#bytesDone += count;
      options.onBytes?.(count);
    };
    this.#writer = new RestoreWriter({ reader, overwrite: order.overwrite, signal, onBytes });
  }

  async *run(): AsyncGenerator<RestoreEvent> {
    const steps = readAhead(this.#walk.steps(), {
      countMax: stepsAheadMax,
      weightMax: framesAheadMax,
      weightOf: (step) => (step.kind === 'entry' ? step.framesAhead : 0),
    });
    try {
      for await (const step of steps) {
        yield* this.#stoppingUnlessDone(step);
      }
      yield* this.#settle(() => true);
      await this.#writer[Symbol.asyncDispose]();
      yield { type: 'summary', summary: this.#summary() };
    } finally {
      this.#stop.abort();
      await this.#closeAll();
    }
  }

  /** The walk must be told to stop before its reader leaves it: leaving waits for what it is reading. */
  async *#stoppingUnlessDone(step: RestoreStep): AsyncGenerator<RestoreEvent> {
    let isDone = false;
    try {
      this.#signal.throwIfAborted();
      yield* this.#options.order.dryRun ? this.#list(step) : this.#perform(step);
      // Passing through a generator of one's own costs more than most files do: only when there is something.
      if (this.#underWay.isFull) yield* this.#settle(() => this.#underWay.isFull);
      for (const event of this.#dueStatus(step)) yield event;
      isDone = true;
    } finally {
      if (!isDone) this.#stop.abort();
    }
  }

  async *#perform(step: RestoreStep): AsyncGenerator<RestoreEvent> {
    switch (step.kind) {
      case 'enter':
        this.#open.push(step.node);
        if (step.verdict === 'take') yield* this.#enter(step.node);
        return;
      case 'leave':
        this.#open.pop();
        if (this.#underWay.isEmpty) yield* this.#leave(step.node);
        else this.#underWay.add({ kind: 'leave', node: step.node });
        return;
      case 'lost':
        yield this.#lost(step.path, step.error);
        return;
      case 'entry':
        yield* this.#entry(step);
    }
  }

  /** False when it, or one above it, is blocked; the first to be blocked is reported. */
  async *#enter(node: DirectoryNode): AsyncGenerator<RestoreEvent, boolean> {
    if (node.directory !== undefined) return true;
    if (node.isBlocked) return false;
    if (node.parent !== undefined && !(yield* this.#enter(node.parent))) {
      node.isBlocked = true;
      return false;
    }
    try {
      await this.#writer.open(node);
      this.#counts.directories++;
      return true;
    } catch (error) {
      node.isBlocked = true;
      yield this.#failed(node.path, error, 'nothing below it was restored');
      return false;
    }
  }

  /** Takes what comes of the oldest writes, one after another, as long as `isDue` says so. */
  async *#settle(isDue: () => boolean): AsyncGenerator<RestoreEvent> {
    while (isDue()) {
      const item = this.#underWay.take();
      if (item === undefined) return;
      if (item.kind === 'leave') yield* this.#leave(item.node);
      else yield* this.#settleFile(item);
    }
  }

  async *#settleFile({
    step,
    problems,
  }: UnderWay & { kind: 'file' }): AsyncGenerator<RestoreEvent> {
    try {
      while (!(await this.#isDone(problems)))
        for (const event of this.#dueStatus(step)) yield event;
      for (const event of this.#written(step, await problems)) yield event;
    } catch (error) {
      yield this.#failed(step.path, error);
    }
  }

  async *#leave(node: DirectoryNode): AsyncGenerator<RestoreEvent> {
    try {
      yield* this.#report(node.path, await this.#writer.leave(node));
    } catch (error) {
      yield this.#failed(node.path, error);
    }
  }

  async *#entry(step: RestoreStep & { kind: 'entry' }): AsyncGenerator<RestoreEvent> {
    const { entry, path } = step;
    const bytesBefore = this.#bytesDone;
    if (step.parent.directory !== undefined || (yield* this.#enter(step.parent))) {
      try {
        const writing = this.#writer.write(step.parent, entry);
        this.#writing = writing;
        while (!(await this.#isDone(writing)))
          for (const event of this.#dueStatus(step)) yield event;
        for (const event of this.#taken(step, await writing)) yield event;
      } catch (error) {
        if (error instanceof ContentLost) yield this.#lost(path, error.reason);
        else yield this.#failed(path, error);
      }
    }
    if (kindOf(entry.mode) !== 'file') return;
    this.#filesDone++;
    this.#bytesDone = bytesBefore + entry.size;
  }

  /** False when a status is due first: the bytes of an entry may take long to come. */
  #isDone(writing: Promise<unknown>): Promise<boolean> {
    const yes = (): true => true;
    return Promise.race([writing.then(yes, yes), this.#nextTick()]);
  }

  /** One timer at a time for all entries: a timer for each small file would cost more than the file. */
  #nextTick(): Promise<false> {
    const ticked = (): false => {
      this.#tick = undefined;
      return false;
    };
    const { signal } = this.#stop;
    this.#tick ??= this.#options.clock.sleep(statusPeriodMs, { signal }).then(ticked, ticked);
    return this.#tick;
  }

  *#taken(step: RestoreStep & { kind: 'entry' }, result: WriteResult): Generator<RestoreEvent> {
    if (result.outcome !== 'written') {
      if (kindOf(step.entry.mode) === 'file') this.#counts.filesSkipped++;
    } else if (result.problems instanceof Promise) {
      // Awaited in its turn; until then a failure is nobody's.
      result.problems.catch(() => {});
      this.#underWay.add({ kind: 'file', step, problems: result.problems });
    } else yield* this.#written(step, result.problems);
  }

  *#written(
    { entry, path }: RestoreStep & { kind: 'entry' },
    problems: readonly TargetProblem[],
  ): Generator<RestoreEvent> {
    if (kindOf(entry.mode) === 'file') {
      this.#counts.files++;
      this.#counts.bytes += entry.size;
    } else this.#counts.others++;
    yield* this.#report(path, problems);
  }

  *#report(path: SnapshotPath, problems: readonly TargetProblem[]): Generator<RestoreEvent> {
    if (problems.length > 0) this.#counts.problems++;
    for (const { what } of problems) {
      yield { type: 'problem', ...pathReport(joinPath(path)), reason: what, isLost: false };
    }
  }

  #lost(path: SnapshotPath, error: HoldfastError): RestoreEvent {
    this.#counts.filesLost++;
    const reason = error.message;
    return { type: 'problem', ...pathReport(joinPath(path)), reason, isLost: true };
  }

  /** The target refuses: a problem of this entry, except that a full disk ends the restore. */
  #failed(path: SnapshotPath, error: unknown, consequence?: string): RestoreEvent {
    this.#signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || codeOf(error) === 'disk-full') throw error;
    this.#counts.problems++;
    const reason = consequence === undefined ? error.message : `${error.message}; ${consequence}`;
    return { type: 'problem', ...pathReport(joinPath(path)), reason, isLost: false };
  }

  /** A dry run: what would be written, without looking at the target. */
  *#list(step: RestoreStep): Generator<RestoreEvent> {
    if (step.kind === 'lost') yield this.#lost(step.path, step.error);
    if (step.kind === 'enter' && step.verdict === 'take') this.#counts.directories++;
    if (step.kind !== 'entry') return;
    const isFile = kindOf(step.entry.mode) === 'file';
    if (isFile) {
      this.#counts.files++;
      this.#filesDone++;
      this.#counts.bytes += step.entry.size;
      this.#bytesDone += step.entry.size;
    } else this.#counts.others++;
    yield { type: 'notice', message: `would restore ${pathReport(joinPath(step.path)).path}` };
  }

  *#dueStatus(step: RestoreStep): Generator<RestoreEvent> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#statusAtMs < statusPeriodMs) return;
    this.#statusAtMs = nowMs;
    const path = 'path' in step ? step.path : step.node.path;
    yield {
      type: 'status',
      elapsedMs: nowMs - this.#startMs,
      filesDone: this.#filesDone,
      bytesDone: this.#bytesDone,
      ...this.#totals(),
      current: pathReport(joinPath(path)).path,
    };
  }

  /** Of the manifest when everything is wanted; else what the walk has met so far. */
  #totals(): { filesTotal: number; bytesTotal: number } {
    const { order, reader } = this.#options;
    const { files, bytes } = this.#walk;
    const isAll = order.path.length === 0 && new RestoreFilter(order).takesAll;
    const { totals } = reader.manifest;
    if (!isAll) return { filesTotal: files, bytesTotal: bytes };
    return { filesTotal: Math.max(files, totals.files), bytesTotal: Math.max(bytes, totals.bytes) };
  }

  #summary(): RestoreSummary {
    const now = this.#options.stats();
    return {
      snapshot: this.#options.order.snapshot,
      ...this.#counts,
      bytesFetched: now.bytesFetched - this.#before.bytesFetched,
      packsDecoded: now.packsDecoded - this.#before.packsDecoded,
      sites: [...now.sites],
      durationMs: this.#options.clock.monotonicMs() - this.#startMs,
    };
  }

  /** After a failure or an interruption directories stay as they are; only their handles close. */
  async #closeAll(): Promise<void> {
    await this.#writing?.catch(() => {});
    for (let item = this.#underWay.take(); item !== undefined; item = this.#underWay.take()) {
      if (item.kind === 'leave') this.#open.unshift(item.node);
      else await item.problems.catch(() => {});
    }
    await this.#writer[Symbol.asyncDispose]();
    for (let node = this.#open.pop(); node !== undefined; node = this.#open.pop()) {
      await node.directory?.[Symbol.asyncDispose]();
      delete node.directory;
    }
  }
}
