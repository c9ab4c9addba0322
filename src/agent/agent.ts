import { assert } from '../base/assert.ts';
import { HoldfastError } from '../core/errors.ts';
import type { AgentKey, FactHash, PackId, PeerKey } from '../core/ids.ts';
import { idBytes, idOf, shortId } from '../core/ids.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { Network, PullRequest } from '../ports/network.ts';
import type { Clock } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import { AlarmBook } from '../services/alarm-book.ts';
import { Alarms } from '../services/alarms.ts';
import { AgentAudit } from '../services/audit/agent-audit.ts';
import { AuditLog } from '../services/audit/audit-log.ts';
import type { HarmWatch } from '../services/audit/harm-watch.ts';
import type { BackupJob } from '../services/backup.ts';
import { Backup } from '../services/backup.ts';
import type { Bandwidth } from '../services/bandwidth.ts';
import { BudgetBook } from '../services/budget-book.ts';
import { CatchUp } from '../services/catch-up.ts';
import { Check } from '../services/check.ts';
import { Committer } from '../services/committer.ts';
import { DatasetLines } from '../services/dataset-lines.ts';
import { Datasets } from '../services/datasets.ts';
import { Distributor } from '../services/distributor.ts';
import { DrillKeeper } from '../services/drill/drill-keeper.ts';
import { DurabilityView } from '../services/durability-view.ts';
import { HostClock } from '../services/host-clock.ts';
import { registerJoin } from '../services/join.ts';
import { KeyKeeper } from '../services/keys/key-keeper.ts';
import { Ledger, type ManifestRecord } from '../services/ledger.ts';
import type { NoticeQueue } from '../services/notify/notice-queue.ts';
import type { Notifier } from '../services/notify/notifier.ts';
import { Outbox } from '../services/outbox.ts';
import { PackUse } from '../services/pack-use.ts';
import { Peers } from '../services/peers.ts';
import { type ReadUsage, readReads } from '../services/reads/read-book.ts';
import { Serve } from '../services/serve.ts';
import { Status } from '../services/status.ts';
import { RunTally } from '../services/run-tally.ts';
import type { Stage, StagePrograms } from '../services/stage-hooks.ts';
import { type Standing, standingOf } from '../services/standing.ts';
import { answerStorage } from '../services/storage-answers.ts';
import type { StatementBudget } from '../services/statement-budget.ts';
import { StoragePeer } from '../services/storage-peer.ts';
import { ExtraShards } from '../services/tiers/extra-shards.ts';
import { Suspicion } from '../services/suspicion.ts';
import { Sync } from '../services/sync.ts';
import type { BackupRequest } from './api.ts';
import type { AgentOptions, AgentPorts } from './agent-ports.ts';
import { backupJobOf } from './backup-job.ts';
import { answerLocks } from '../services/validate/lock-answers.ts';
import { Validator } from '../services/validate/validator.ts';
import { boundNetwork } from './bandwidth-api.ts';
import { budgetRules, statementBudget } from './budget-rules.ts';
import { ControlPlane } from './control-plane.ts';
import { tripwiresOf } from './dataset-rules.ts';
import { meetContacts } from './first-contacts.ts';
import { Grants } from './grants.ts';
import { Drilling } from './drilling.ts';
import { hooksOf } from './hook-config.ts';
import { forgery, harmWatch, syncRules } from './harm.ts';
import { Keeping, type KeptRecords, readKeptRecords } from './keeping.ts';
import { countLeaders } from './metrics/control-metrics.ts';
import { LoopMetrics } from './metrics/work-metrics.ts';
import { notifierOf, openNotices } from './notices.ts';
import { Reads } from './reads.ts';
import { readUpkeep, Upkeep, type UpkeepRecords } from './upkeep.ts';
import { watches } from './watches.ts';

type AgentParts = {
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  readonly auditLog: AuditLog;
  readonly alarmBook: AlarmBook;
  readonly notices: NoticeQueue;
  readonly kept: KeptRecords;
  readonly upkeep: UpkeepRecords;
  readonly reads: ReadUsage;
  readonly bandwidth: Bandwidth;
};

/** A restore that is slower than this between two reads is not disturbed by a third reader. */
const readPauseMs = 2_000;

/** One running member: ports -> services, started in order and stopped in reverse. */
export class Agent implements AsyncDisposable {
  readonly clock: Clock;
  readonly network: Network;
  readonly version: string;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly sync: Sync;
  readonly status: Status;
  readonly lines: DatasetLines;
  readonly view: DurabilityView;
  readonly backup: Backup;
  readonly datasets: Datasets;
  readonly check: Check;
  readonly validator: Validator;
  readonly control: ControlPlane;
  readonly suspicion: Suspicion;
  readonly alarms: Alarms;
  readonly notifier: Notifier;
  readonly keys: KeyKeeper;
  readonly audit: AgentAudit;
  readonly packUse: PackUse;
  readonly grants: Grants;
  readonly keeping: Keeping;
  readonly statementBudget: StatementBudget;
  readonly harm: HarmWatch;
  readonly drills: DrillKeeper;
  readonly drilling: Drilling;
  readonly upkeep: Upkeep;
  readonly standing: Standing;
  readonly outbox: Outbox;
  readonly bandwidth: Bandwidth;
  readonly tally = new RunTally();
  /** Undefined where nobody can measure. */
  readonly loop: LoopMetrics | undefined;
  /** Undefined without the role storage. */
  readonly store: ShardStore | undefined;
  readonly #ports: AgentPorts;
  readonly #options: AgentOptions;
  readonly #storage: StoragePeer | undefined;
  readonly #reads: Reads;
  readonly #distributor: Distributor;
  readonly #committer: Committer;
  readonly #serve: Serve;
  readonly #stop = new AbortController();
  readonly #tasks: Promise<void>[] = [];
  #release: (() => void)[] = [];
  /** When somebody last read shards from here. */
  #readMs = Number.NEGATIVE_INFINITY;

  private constructor(ports: AgentPorts, options: AgentOptions, parts: AgentParts) {
    const { ledger, outbox, auditLog, kept } = parts;
    const { clock, log, network, facts } = ports;
    const { agentKey: self, version } = options;
    this.#ports = ports;
    this.#options = options;
    this.clock = clock;
    this.network = network;
    this.version = version;
    this.ledger = ledger;
    this.outbox = outbox;
    this.bandwidth = parts.bandwidth;
    const { watchLoop } = ports;
    this.loop =
      watchLoop === undefined ? undefined : new LoopMetrics(watchLoop, () => clock.monotonicMs());
    const isStorage = ledger.roster.member(self)?.hasRole('storage') === true;
    const store = isStorage ? ports.shards : undefined;
    this.store = store;
    this.peers = new Peers({ network, ledger, clock, version, logger: log });
    const budget = statementBudget(this, ports, kept.said);
    this.statementBudget = budget;
    this.harm = harmWatch(this, ports);
    const saidTo = { network, ledger, facts, clock, logger: log };
    this.sync = new Sync({ ...saidTo, peers: this.peers, budget, ...syncRules(this) });
    const standing = standingOf(
      () => this.control.log.state,
      (agent) => this.upkeep.challenger.isFailing(agent),
    );
    this.standing = standing;
    this.view = new DurabilityView(ledger, facts, standing);
    const budgets = new BudgetBook(
      { records: ports.promises, clock, log, ...budgetRules(this) },
      kept.budgets,
    );
    const extras = new ExtraShards(ports.promises, kept.extras);
    const packUse = new PackUse({ ledger, facts, state: () => this.control.log.state });
    this.packUse = packUse;
    const isShredded = (record: ManifestRecord): boolean => this.keys.isShredded(record);
    this.lines = new DatasetLines(ledger, (id) => this.control.log.state.incarnations.of(id));
    const { peers, view, lines, bandwidth } = this;
    this.status = new Status({ ledger, lines, self, peers, view, clock, isShredded });
    this.#storage =
      store === undefined
        ? undefined
        : new StoragePeer({
            ...{ network, ledger, store, facts, budgets, extras, log },
            bytesMax: options.config.storage.limit,
            isDiscarded: (record) => packUse.isDiscarded(record),
          });
    const storage = this.#storage;
    const shared = { ledger, self, peers: this.peers, view: this.view, clock, log };
    const distributor = new Distributor({ ...shared, store, outbox, bandwidth });
    this.#distributor = distributor;
    this.#committer = new Committer({
      ...{ ...shared, sync: this.sync, distributor, outbox, storage, standing },
      isOut: (agent) => this.control.log.state.members.record(agent)?.expulsion !== undefined,
    });
    this.check = new Check({ ...shared, storage, entropy: ports.entropy });
    this.datasets = new Datasets({
      ...ports,
      ...{ ledger, self, store: ports.index },
      keys: () => this.control.log.state.keys,
      isHolder: (id) => this.control.log.state.incarnations.of(id)?.holder === self,
    });
    this.backup = new Backup({
      ...ports,
      ...shared,
      distributor,
      committer: this.#committer,
      ...{ packUse, standing, underWay: { begin: () => this.upkeep.beginBackup() } },
      ownFreeBytes: () => store?.usage().freeBytes ?? 0,
      openShards: () => this.upkeep.openShards(),
    });
    const usage =
      store === undefined ? {} : { usage: () => ({ ...store.usage(), ...this.storageBounds }) };
    const { note: audit } = auditLog;
    const refusals = { audit, onRefused: forgery.bind(undefined, this) };
    this.#serve = new Serve({ ...saidTo, version, ...refusals, ...usage });
    const { statementSecret, onFatal, config } = options;
    const { sync, harm } = this;
    this.notifier = notifierOf(this, ports, parts.notices);
    const news = this.notifier.news.bind(this.notifier);
    this.alarms = new Alarms({ clock, book: parts.alarmBook, news, log, audit });
    this.suspicion = new Suspicion({
      ledger,
      cleared: () => this.control.log.state.cleared,
      ruleOf: (dataset) => tripwiresOf(this, dataset),
      isUsable: (record) => !packUse.isDiscarded(record) && !isShredded(record),
    });
    const hostClock = new HostClock({ ...shared, records: ports.promises }, kept.hostTime);
    const controlled = { ...ports, ...shared, sync, store, hostClock };
    const { alarms, suspicion } = this;
    this.control = new ControlPlane({ ...controlled, statementSecret, alarms, onFatal });
    const control = this.control.log;
    this.drills = new DrillKeeper({ ...shared, lines, control, alarms: this.alarms });
    this.keys = new KeyKeeper({ ...ports, ...shared, control });
    const judging = { hostClock, budgets, packUse, suspicion, isShredded, orphans: kept.orphans };
    const around = { ...ports, ...shared, ...judging, store, storage, extras, audit };
    const keeping = { ...around, control: this.control };
    this.keeping = new Keeping(keeping);
    const seeing = { ...around, standing, state: () => control.state };
    this.validator = new Validator(seeing);
    const reading = { serve: this.#serve, storage, distributor, control, hostClock, alarms, audit };
    this.#reads = new Reads({ ...ports, ...shared, ...reading }, parts.reads);
    this.grants = new Grants({ ...ports, ...shared, sync, store, control, audit });
    const isBusy = (): boolean => this.isBusy;
    const care = { isBusy, careShare: () => bandwidth.careShare, sync, serve: this.#serve };
    this.upkeep = new Upkeep({ ...keeping, ...parts.upkeep, standing, alarms, config, ...care });
    this.drilling = new Drilling(this, ports);
    this.audit = new AgentAudit({
      ...{ ...shared, statementSecret, alarms: this.alarms, harm, control },
      ...{ log: auditLog, logger: log, records: ports.auditRecords },
    });
  }

  static async start(ports: AgentPorts, options: AgentOptions): Promise<Agent> {
    const { agentKey, statementSecret, genesisBytes } = options;
    const ledger = await Ledger.open({
      genesisBytes,
      log: ports.statementLog,
      clock: ports.clock,
      self: { agentKey, statementSecret },
      logger: ports.log,
    });
    if (ledger.roster.member(agentKey) === undefined) {
      throw new HoldfastError('not-permitted', 'this agent is not a member of its cluster', {
        next: 'holdfast join --code-file FILE, into an empty state directory',
      });
    }
    options.onRoster?.(ledger.roster);
    const outbox = await Outbox.open(ports.outboxShards, ports.index);
    const { auditStore: store, clock, log } = ports;
    const auditLog = await AuditLog.open({ store, clock, log, onFatal: options.onFatal });
    const kept = await readKeptRecords(ports.promises, log);
    const upkeep = await readUpkeep(ports.promises);
    const reads = await readReads(ports.promises, log);
    const alarmBook = await AlarmBook.open(ports.index, log);
    const notices = await openNotices(ports);
    const { bandwidth, network } = boundNetwork(ports, options, (peer, request) =>
      agent.#isOnItsWay(peer, request),
    );
    const opened = { ledger, outbox, auditLog, alarmBook, notices, kept, upkeep, reads };
    const agent: Agent = new Agent({ ...ports, network }, options, { ...opened, bandwidth });
    agent.#start();
    return agent;
  }

  #start(): void {
    const { network, clock, log } = this.#ports;
    this.#registerHandlers();
    network.servePulls((peer, request) => {
      this.#readMs = clock.monotonicMs();
      return this.#reads.serve(peer, request);
    });
    this.#tasks.push(this.#reads.run({ signal: this.#stop.signal }));
    this.#serve.start();
    this.peers.start();
    this.sync.start();
    const signal = this.#stop.signal;
    this.#tasks.push(meetContacts(this.#options.contacts, this, signal));
    this.#tasks.push(this.#committer.run({ signal }));
    const duties = [this.audit, this.harm, this.control, this.keys, this.keeping, this.drills];
    const watching = [this.notifier, this.drilling, ...watches(this, this.#ports)];
    const more = [this.statementBudget, this.upkeep, ...watching];
    for (const duty of [...duties, ...more]) this.#tasks.push(duty.run({ signal }));
    this.#tasks.push(this.grants.requests.start());
    this.#release.push(countLeaders(this));
    this.#release.push(
      network.onConnection(({ peer, isConnected }) => {
        const member = this.ledger.roster.memberByPeer(peer);
        if (!isConnected || member === undefined || !member.hasRole('storage')) return;
        this.#tasks.push(this.#committer.finishWith(member.agentKey));
      }),
    );
    if (this.#storage !== undefined) {
      const catchUp = new CatchUp({
        ...{ ...this, log, storage: this.#storage, store: this.#ports.shards },
        self: this.#options.agentKey,
        isDiscarded: (record) => this.packUse.isDiscarded(record),
      });
      this.#tasks.push(catchUp.run({ signal }));
    }
  }

  #registerHandlers(): void {
    const storage = this.#storage;
    this.control.answer(this.#serve);
    this.keys.answer(this.#serve);
    this.audit.answer(this.#serve);
    this.grants.answer(this.#serve);
    answerLocks(this.#serve, this.#ports.locks);
    const { ledger, network, clock, control, sync, view } = this;
    registerJoin(this.#serve, {
      ...{ ledger, network, clock },
      confirm: () => control.log.confirm(),
      admitToLog: (agent) => control.voters.admit(agent),
      audit: this.audit.log.note,
    });
    if (storage === undefined) return;
    const { tiers, log, shards: store } = this.#ports;
    answerStorage(this.#serve, { storage, store, tiers, ledger, view, sync, log, clock });
  }

  /** A fact held here. */
  fact(hash: FactHash): Promise<Uint8Array | undefined> {
    return this.#ports.facts.get(idBytes(hash));
  }

  /** This host delivers the shard to that peer. */
  #isOnItsWay(peer: PeerKey, { pack, index }: PullRequest): boolean {
    const member = this.ledger.roster.memberByPeer(peer);
    if (member === undefined) return false;
    return this.#distributor.isFor(member.agentKey, { pack: idOf<PackId>(pack), index });
  }

  /** A backup runs, or somebody restores from here or makes shards anew. */
  get isBusy(): boolean {
    return this.backup.isRunning || this.clock.monotonicMs() - this.#readMs < readPauseMs;
  }

  /** This agent as a member, or as the one that it was before it was put out. */
  member(): Member {
    const member = this.ledger.roster.anybody(this.#options.agentKey);
    assert(member !== undefined, 'a running agent is a member, or was one');
    return member;
  }

  nameOf(agent: AgentKey): string {
    return this.ledger.roster.member(agent)?.name ?? shortId(agent);
  }

  /** What the configuration lets others store here. */
  get storageBounds(): { readonly reserveBytes: number; readonly quotaBytes?: number } {
    const { reserve, limit } = this.#options.config.storage;
    return { reserveBytes: reserve, ...(limit !== undefined && { quotaBytes: limit }) };
  }

  get configuredDatasets(): readonly string[] {
    return Object.keys(this.#options.config.datasets);
  }

  /** Programs of this host around a stage; undefined: none of them. */
  stageOrder(stage: Stage, dataset: string | undefined): StagePrograms {
    const { config } = this.#options;
    const none = { before: [], after: [] };
    const hooks = dataset === undefined ? none : hooksOf(config, stage, dataset);
    return { stage, hooks, runner: this.#ports.hooks, log: this.#ports.log };
  }

  /** What a request asks for, with the configuration's part. @throws HoldfastError usage | not-permitted */
  backupJob(request: BackupRequest): Promise<BackupJob> {
    return backupJobOf(this, request, { ...this.#options, source: this.#ports.source });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.loop?.[Symbol.dispose]();
    for (const release of this.#release) release();
    this.#stop.abort(new HoldfastError('interrupted', 'the agent is stopping'));
    this.grants[Symbol.dispose]();
    await this.control[Symbol.asyncDispose]();
    await this.sync[Symbol.asyncDispose]();
    await this.peers[Symbol.asyncDispose]();
    await Promise.allSettled(this.#tasks);
  }
}
