import { resolve } from 'node:path';
import { ageSealer } from '../../adapters/age/sealer.ts';
import { openShardReader } from '../../adapters/fs/shard-reader.ts';
import { shardDirectoryOf } from '../../adapters/fs/state-directory.ts';
import { openTarget } from '../../adapters/fs/target.ts';
import { checkTarget } from '../../adapters/fs/target-check.ts';
import { boundMemory } from '../../adapters/system/allocator.ts';
import { openLog } from '../../adapters/system/log.ts';
import { systemClock } from '../../adapters/system/runtime.ts';
import { utf8 } from '../../base/bytes.ts';
import type { RecoveryOptions } from '../../cli/backend.ts';
import { keyEpochsOf } from '../../core/format/manifest.ts';
import { parseKit } from '../../core/format/recovery-kit.ts';
import type { DatasetId } from '../../core/ids.ts';
import { coldWords } from '../../core/policy/cold-estimate.ts';
import { PathPattern } from '../../core/policy/path-pattern.ts';
import { ClearedBook } from '../../core/protocol/control/cleared-book.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { ProvenLog } from '../../core/protocol/control/proven-log.ts';
import type { DatasetRecord } from '../../core/protocol/roster.ts';
import type { Compute } from '../../ports/compute.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { ShardSource } from '../../ports/shard-store.ts';
import type { RestoreTarget, TargetDirectory } from '../../ports/target.ts';
import type { Tracer } from '../../ports/tracer.ts';
import { dumpFile, findEntries, listEntries } from '../../services/browse.ts';
import { DatasetLines } from '../../services/dataset-lines.ts';
import { DurabilityView } from '../../services/durability-view.ts';
import type { ManifestRecord } from '../../services/ledger.ts';
import { restoreSnapshot } from '../../services/restore.ts';
import { selectSnapshot } from '../../services/select-snapshot.ts';
import { diffSnapshots } from '../../services/snapshot-diff.ts';
import { splitPath } from '../../services/snapshot-reader.ts';
import { type OpenedSnapshot, SnapshotSession } from '../../services/snapshot-session.ts';
import { aroundStage, type StagePrograms } from '../../services/stage-hooks.ts';
import { PackUse } from '../../services/pack-use.ts';
import { Suspicion } from '../../services/suspicion.ts';
import { hasTags } from '../agent-api.ts';
import type {
  EntryReport,
  RecoverySession,
  RestoreEvent,
  RestoreRequest,
  SnapshotReport,
} from '../api.ts';
import type { DrillRequest, DrillRunEvent } from '../drill-types.ts';
import { keepingBy } from '../keeping-report.ts';
import { operatorNameBy } from '../operator-name.ts';
import { snapshotReport } from '../snapshot-report.ts';
import { stagedDrill } from '../staged-drill.ts';
import { commandCompute } from './command-compute.ts';
import { type HostHooks, hostHooks } from './host-hooks.ts';
import type { DatasetUse } from '../stats-types.ts';
import { suspicionReport } from '../tripwire-api.ts';
import { KitDoubts } from './kit-doubts.ts';
import { stagingParts } from './staged-drill.ts';
import { RecoveryPeers } from './recovery-peers.ts';
import { useOf } from './recovery-use.ts';
import { recoveryTracer } from './tracing.ts';

/** Restores and reads with the kit alone: no agent, no state, any members that answer. */
export async function openRecovery(options: RecoveryOptions): Promise<RecoverySession> {
  const beganMs = systemClock().monotonicMs();
  await using opening = new AsyncDisposableStack();
  opening.use(boundMemory());
  const level = process.env.HOLDFAST_LOG_LEVEL === 'debug' ? 'debug' : 'error';
  const log = opening.use(openLog({ level, destination: 'stderr' }));
  const tracer = opening.use(recoveryTracer(log));
  const kit = parseKit(options.kitText);
  const { signal, without = [] } = options;
  const around = { log, signal, without };
  const cluster = opening.use(await RecoveryPeers.open(kit, options.peers, around));
  const compute = opening.use(commandCompute(8));
  const proven = await cluster.provenLog({ signal });
  const { stateDir } = options;
  const store = stateDir === undefined ? undefined : openShardReader(shardDirectoryOf(stateDir));
  if (store !== undefined) opening.use(store);
  const hooks = await hostHooks(options.hooks, log);
  const parts = { cluster, compute, proven, store, log, signal, beganMs, hooks, tracer };
  return new Session({ ...parts, stack: opening.move() });
}

/** Snapshots that are looked at for the latest usable one. */
const assessedMax = 64;

/** A snapshot that has been opened, and what came with it. */
type Opened = OpenedSnapshot & { record: ManifestRecord; notices: readonly string[] };

type SessionParts = {
  readonly cluster: RecoveryPeers;
  readonly compute: Compute;
  /** The control log, or why no member could prove any. */
  readonly proven: ProvenLog | string;
  /** What this host holds itself. */
  readonly store: ShardSource | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** When it was asked for, by the monotonic clock. */
  readonly beganMs: number;
  readonly hooks: HostHooks;
  readonly tracer: Tracer | undefined;
  readonly stack: AsyncDisposableStack;
};

/** Stages that are under way. */
class Tracking {
  readonly #running = new Set<Promise<void>>();

  track(): () => void {
    const { promise, resolve: end } = Promise.withResolvers<void>();
    this.#running.add(promise);
    return () => {
      this.#running.delete(promise);
      end();
    };
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** For a dry run, which names files and opens none. */
const untouchedTarget: RestoreTarget = {
  root: {} as TargetDirectory,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

class Session implements RecoverySession {
  readonly #parts: SessionParts;
  readonly #view: DurabilityView;
  /** Where no log is proven: by the writers' own word. */
  readonly #lines: DatasetLines;
  readonly #clock: Clock = systemClock();
  readonly #session: SnapshotSession;
  /** Where no log is proven: by the default wires, and as if nobody had cleared anything. */
  readonly #suspicion: Suspicion;
  readonly #state: ControlState | undefined;
  readonly #tracking = new Tracking();
  readonly #doubts: KitDoubts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { cluster, compute, store, log, proven, tracer } = parts;
    const state = typeof proven === 'string' ? undefined : proven.state;
    this.#state = state;
    this.#doubts = new KitDoubts(cluster, proven);
    const { network, ledger, peers } = cluster;
    this.#view = new DurabilityView(ledger, cluster.facts);
    this.#lines = new DatasetLines(ledger, (id) => state?.incarnations.of(id));
    const cleared = state?.cleared ?? new ClearedBook();
    const nameOf = (id: DatasetId): string =>
      ledger.roster.datasets().find((one) => one.id === id)?.ruleName ?? '';
    const ruleOf = (id: DatasetId) => state?.policy.ruleFor(nameOf(id)).tripwire ?? {};
    this.#suspicion = new Suspicion({
      ...{ ledger, cleared: () => cleared, ruleOf },
      isUsable: (record) => !this.#isDestroyed(record),
    });
    const around = { network, ledger, peers, view: this.#view };
    const tools = { compute, sealer: ageSealer(), clock: this.#clock, log, tracer };
    const here = store === undefined ? {} : { store };
    this.#session = new SnapshotSession({ ...around, ...tools, ...here });
  }

  get cluster(): { id: string; name: string } {
    const { ledger } = this.#parts.cluster;
    return { id: ledger.cluster, name: ledger.roster.genesis.name };
  }

  get reached(): { name: string; site: string }[] {
    return this.#parts.cluster.peers.reachable().map(({ name, site }) => ({ name, site }));
  }

  async snapshots(filter: { dataset?: string; tags?: string[] }): Promise<SnapshotReport[]> {
    const { ledger } = this.#parts.cluster;
    const dataset = filter.dataset === undefined ? undefined : this.#lines.find(filter.dataset).id;
    const onLine = this.#lines.onLine(dataset);
    const reports: SnapshotReport[] = [];
    const verdicts = this.#suspicion.verdicts(dataset);
    for (const record of ledger.manifests(dataset)) {
      if (!hasTags(record, filter.tags) || this.#doubts.isGone(record)) continue;
      const durability = await this.#view.assess(record);
      const report = snapshotReport(ledger, record, durability, onLine.has(record.hash));
      const suspicion = suspicionReport(verdicts.get(record.hash), (key) =>
        operatorNameBy(this.#state, key),
      );
      reports.push({
        ...report,
        ...(this.#state !== undefined && { keeping: keepingBy(this.#state, record) }),
        ...(suspicion !== undefined && { suspicion }),
        ...((await this.#isShredded(record)) && { isShredded: true }),
      });
    }
    return reports;
  }

  /** @throws HoldfastError not-found | ambiguous | wrong-key | too-few-shards */
  async #open(text: string): Promise<Opened> {
    const { ledger } = this.#parts.cluster;
    const places = new Map(
      this.#lines
        .all()
        .flatMap(({ id }) => this.#lines.line(id).map(({ hash }, i) => [hash, i + 1] as const)),
    );
    const choices = await Promise.all(
      ledger.manifests().map(async (record, i, all) => ({
        id: record.hash,
        dataset: record.manifest.dataset,
        datasetName: this.#datasetOf(record).name,
        // Within a dataset its one history counts; what stands beside it comes before all of it.
        sequence: places.get(record.hash) ?? 0,
        timeMs: record.statement.timeMs,
        record,
        // Only the newest can become `latest`; the others are named by their id.
        state: i < all.length - assessedMax ? 'placed' : (await this.#view.assess(record)).state,
        isUsable: !this.#doubts.isGone(record) && !(await this.#isShredded(record)),
      })),
    );
    const isUsable = (one: { state: string; isUsable: boolean }): boolean =>
      one.state !== 'staged' && one.isUsable;
    const { snapshot, notices } = this.#doubts.refusing(() =>
      selectSnapshot(choices, text, { isUsable }),
    );
    const suspicion = this.#suspicion.noticeOf(snapshot.record);
    const { record } = snapshot;
    const told = [...notices, ...this.#doubts.of(record)];
    const all = suspicion === undefined ? told : [...told, suspicion];
    return { ...(await this.#openRecord(snapshot.record)), notices: all };
  }

  /** By the log, else as the members say who were asked for the key. */
  async #isShredded(record: ManifestRecord): Promise<boolean> {
    return this.#isDestroyed(record) || this.#parts.cluster.ring.isShredded(record);
  }

  #isDestroyed({ manifest, statement }: ManifestRecord): boolean {
    const of = { writer: statement.writer, dataset: manifest.dataset };
    const isGone = (epoch: number) => this.#state?.keys.isDestroyed({ ...of, epoch }) === true;
    return keyEpochsOf(manifest).some(isGone);
  }

  async #openRecord(record: ManifestRecord): Promise<Omit<Opened, 'notices'>> {
    const { cluster, signal } = this.#parts;
    const identities = await cluster.identitiesOf(record);
    return { record, ...(await this.#session.open(record, { identities }, { signal })) };
  }

  #datasetOf(record: ManifestRecord): DatasetRecord {
    return this.#session.datasetOf(record);
  }

  async *list(request: Parameters<RecoverySession['list']>[0]): ReturnType<typeof listEntries> {
    const { reader, frames } = await this.#open(request.snapshot);
    await using _ = frames;
    const { signal } = this.#parts;
    const path = splitPath(utf8(request.path));
    yield* listEntries(reader, { path, isRecursive: request.recursive, signal });
  }

  async *find(
    request: Parameters<RecoverySession['find']>[0],
  ): AsyncGenerator<EntryReport & { snapshot: string }> {
    const { ignoreCase, snapshot } = request;
    const pattern = PathPattern.parse(request.pattern, { ignoreCase });
    const opened =
      snapshot === undefined
        ? (await this.#readable()).map((record) => this.#openRecord.bind(this, record))
        : [() => this.#open(snapshot)];
    for (const open of opened) {
      const { reader, record, frames } = await open();
      await using _ = frames;
      for await (const entry of findEntries(reader, { pattern, signal: this.#parts.signal })) {
        yield { ...entry, snapshot: record.hash };
      }
    }
  }

  /** Without those that have expired or were shredded: they are no reason not to look into the others. */
  async #readable(): Promise<ManifestRecord[]> {
    const { ledger } = this.#parts.cluster;
    const readable: ManifestRecord[] = [];
    for (const record of ledger.manifests()) {
      if (!this.#doubts.isGone(record) && !(await this.#isShredded(record))) readable.push(record);
    }
    return readable;
  }

  async *diff(request: Parameters<RecoverySession['diff']>[0]): ReturnType<typeof diffSnapshots> {
    const from = await this.#open(request.from);
    await using _from = from.frames;
    const to = await this.#open(request.to);
    await using _to = to.frames;
    const path = splitPath(utf8(request.path));
    yield* diffSnapshots({ from: from.reader, to: to.reader, path, signal: this.#parts.signal });
  }

  async *dump(request: Parameters<RecoverySession['dump']>[0]): AsyncGenerator<Uint8Array> {
    const { reader, frames } = await this.#open(request.snapshot);
    await using _ = frames;
    const { signal } = this.#parts;
    yield* dumpFile(reader, { path: splitPath(utf8(request.path)), signal });
  }

  restore(request: RestoreRequest): AsyncGenerator<RestoreEvent> {
    const { target, snapshot, dryRun } = request;
    const learn = (event: RestoreEvent) => ({ isLast: event.type === 'summary' });
    const facts = { target: resolve(target), snapshot };
    const order = { ...this.#programs('restore', dryRun), facts, learn };
    return aroundStage(order, (signal) => this.#restore(request, signal));
  }

  #programs(stage: 'restore' | 'drill', isDry: boolean): StagePrograms & Pick<Tracking, 'track'> {
    const programs = this.#parts.hooks(stage);
    const hooks = isDry ? { before: [], after: [] } : programs.hooks;
    return { ...programs, hooks, track: () => this.#tracking.track() };
  }

  async *#restore(request: RestoreRequest, stop: AbortSignal): AsyncGenerator<RestoreEvent> {
    const targetPath = utf8(resolve(request.target));
    const { allowNonEmpty } = request;
    checkTarget(targetPath, { allowNonEmpty });
    const patterns = (texts: readonly string[]): PathPattern[] =>
      texts.map((text) => PathPattern.parse(text));
    const order = {
      path: splitPath(utf8(request.path)),
      include: patterns(request.include),
      exclude: patterns(request.exclude),
      overwrite: request.overwrite,
      dryRun: request.dryRun,
    };
    const { record, reader, packs, places, frames, notices } = await this.#open(request.snapshot);
    await using _ = frames;
    for (const message of notices) yield { type: 'notice', message };
    const cold = await places.look({ signal: this.#parts.signal });
    if (cold !== undefined) yield { type: 'notice', message: coldWords(cold), cold };
    await using target = request.dryRun
      ? untouchedTarget
      : await openTarget(targetPath, { allowNonEmpty });
    const signal = AbortSignal.any([stop, this.#parts.signal]);
    const stats = () => packs.stats;
    const clock = this.#clock;
    const full = { ...order, snapshot: record.hash };
    yield* restoreSnapshot({ reader, target, order: full, clock, stats, signal });
  }

  async *use({ dataset }: { dataset?: string }): AsyncGenerator<DatasetUse> {
    const { signal } = this.#parts;
    const wanted = dataset === undefined ? this.#lines.all() : [this.#lines.find(dataset)];
    const packUse = this.#packUse();
    const records = (await this.#readable()).filter(
      (record) => packUse?.isDiscarded(record) !== true,
    );
    const reading = { view: this.#view, open: this.#openRecord.bind(this), signal };
    for (const { id, name } of wanted) {
      const own = records.filter(({ manifest }) => manifest.dataset === id);
      yield { name, id, ...(await useOf(own, reading)) };
    }
  }

  /** Where no log is proven, nothing is discarded. */
  #packUse(): PackUse | undefined {
    const state = this.#state;
    if (state === undefined) return undefined;
    const { ledger, facts } = this.#parts.cluster;
    return new PackUse({ ledger, facts, state: () => state });
  }

  drill(request: DrillRequest): AsyncGenerator<DrillRunEvent> {
    const learn = (event: DrillRunEvent) =>
      event.type === 'report' ? { isLast: true, facts: { result: event.report.outcome } } : {};
    const facts = { snapshot: request.snapshot, staging: request.stagingDir };
    const order = { ...this.#programs('drill', false), facts, learn };
    return aroundStage(order, (signal) => this.#drill(request, signal));
  }

  async *#drill(request: DrillRequest, stop: AbortSignal): AsyncGenerator<DrillRunEvent> {
    const { cluster, beganMs } = this.#parts;
    const signal = AbortSignal.any([stop, this.#parts.signal]);
    const opened = await this.#open(request.snapshot);
    await using _ = opened.frames;
    for (const message of opened.notices) yield { type: 'notice', message };
    const cold = await opened.places.look({ signal });
    if (cold !== undefined) yield { type: 'notice', message: coldWords(cold) };
    const dataset = this.#datasetOf(opened.record);
    const records = this.#lines.line(dataset.id);
    const { roster } = cluster.ledger;
    const around = { dataset, records, roster, view: this.#view, clock: this.#clock };
    const parts = { ...around, opened, signal, beganMs };
    yield* stagedDrill(request, { ...parts, ...stagingParts(request) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What programs before a stage have stopped, those after it start again, also after Ctrl-C.
    await this.#tracking.settled();
    await this.#parts.stack[Symbol.asyncDispose]();
  }
}
