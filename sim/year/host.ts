import { MiB } from '../../src/base/units.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { idOf, type PackId } from '../../src/core/ids.ts';
import { receiptStream } from '../../src/core/format/statement.ts';
import type { Network } from '../../src/ports/network.ts';
import type { Cancel, Clock, Log } from '../../src/ports/runtime.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';
import type { Ledger } from '../../src/services/ledger.ts';
import type { Peers } from '../../src/services/peers.ts';
import type { Challenger } from '../../src/services/repair/challenger.ts';
import type { RepairKeeper } from '../../src/services/repair/repair-keeper.ts';
import type { Scrub } from '../../src/services/repair/scrub.ts';
import type { Standing } from '../../src/services/standing.ts';
import type { StoragePeer } from '../../src/services/storage-peer.ts';
import { SimAuditRecords } from '../data/audit.ts';
import type { Person } from '../data/cast.ts';
import { shippedCompute, simCompute } from '../data/compute.ts';
import { DataFacts, DataLog } from '../data/stores.ts';
import { epochMs, Life } from '../world.ts';
import type { YearCluster } from './cluster.ts';
import { YearDisk } from './disk.ts';
import { YearShards } from './shards.ts';
import { shortStepMs } from './steps.ts';

/** Bytes of a real pack for each byte here; a pack of 16 MiB is one of a kibibyte. */
export const scale = 16 * 1024;
/** What a host reads a second, of the shipped default, in bytes of here. Repairs count whole leaves, of which a shard is one. */
const scrubPace = (32 * MiB) / scale;

/** A run of the program. */
type Run = {
  readonly store: ShardStore;
  readonly storage: StoragePeer;
  readonly repairs: RepairKeeper;
  readonly scrub: Scrub;
  readonly challenger: Challenger;
};

const compute = simCompute(shippedCompute, async () => {});

/** Who is asked answers at once here. */
function untilAborted(_: number, { signal }: Cancel = {}): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A host at a site of its own: its disk stays, its program starts and stops. */
export class YearHost {
  readonly person: Person;
  readonly disk: YearDisk;
  readonly facts: DataFacts;
  readonly ledger: Ledger;
  readonly #cluster: YearCluster;
  readonly #life = new Life();
  /** Its program runs and has power. */
  downUntilMs = 0;
  run: Run | undefined;
  #startMs = 0;
  /** Of its own time, before that of all: it still works on what it began then. */
  #aheadMs = 0;
  /** When it looks again for what is missing. */
  lookAtMs = 0;
  /** Sites that it believes to be lost for good. */
  lost: ReadonlySet<string> = new Set();
  readonly #signed = new Set<string>();
  /** There may be snapshots that it has not signed for. */
  #unsigned = true;

  private constructor(cluster: YearCluster, person: Person, disk: YearDisk, ledger: Ledger) {
    this.#cluster = cluster;
    this.person = person;
    this.disk = disk;
    this.facts = new DataFacts(disk.device, this.#life);
    this.ledger = ledger;
  }

  static async open(cluster: YearCluster, person: Person): Promise<YearHost> {
    const disk = new YearDisk(cluster.world, cluster.facts);
    const { genesisBytes, statements } = cluster.founding;
    const { agentKey, statementSecret } = person;
    const clock: Clock = {
      nowMs: () => epochMs + cluster.nowMs,
      monotonicMs: () => cluster.nowMs,
      sleep: async () => {},
    };
    const ledger = await cluster.parts.Ledger.open({
      ...{ genesisBytes, clock, self: { agentKey, statementSecret } },
      log: new DataLog(disk.device, new Life()),
    });
    for (const { envelope } of statements) await ledger.ingest(envelope);
    return new YearHost(cluster, person, disk, ledger);
  }

  get name(): string {
    return this.person.descriptor.name;
  }

  get site(): string {
    return this.person.descriptor.site;
  }

  get isUp(): boolean {
    return this.downUntilMs <= this.#cluster.nowMs;
  }

  /** It is still at what it began in an earlier step. */
  get isBusy(): boolean {
    return this.#aheadMs > 0;
  }

  stop(): void {
    this.run = undefined;
    this.#aheadMs = 0;
  }

  async start(): Promise<void> {
    const { parts, nowMs } = this.#cluster;
    const { ledger, facts, disk } = this;
    this.#startMs = nowMs;
    this.lookAtMs = nowMs;
    const store = new YearShards(disk, this.#life);
    const records = new SimAuditRecords(disk.records, disk.device, this.#life);
    const clock = this.#clock();
    const log: Log = { log: () => {} };
    const self = this.person.agentKey;
    const network = { pull: (...asked) => this.#pull(...asked) } as Pick<Network, 'pull'>;
    const { isDiscarded } = this.#cluster;
    const { standing } = this;
    const alarms = { raise: async () => {} };
    const storage = new parts.StoragePeer({
      ...{ network: network as Network, ledger, store, facts, log, isDiscarded },
    });
    const shared = { ledger, facts, self, standing, clock, log, records, isDiscarded };
    const { peers } = this;
    const view = new parts.RepairView({ ...shared, peers });
    // A leaf of 64 KiB stands for a whole shard.
    const leaves = (this.#cluster.shardSize * scale) / limits.leafSize;
    const pace = new parts.Pace(clock, () => (32 * MiB) / leaves);
    const reading = { pace, repairReads: new parts.RepairReads(clock) };
    const repairs = new parts.RepairKeeper({
      ...{ ...shared, peers, view, store, storage, alarms, isEnabled: true },
      rebuilder: new parts.ShardRebuilder({ ...reading, network, store, compute, clock, log }),
      badPacks: await parts.BadPacks.read(records),
    });
    const challenger = parts.Challenger.open(
      {
        ...{ ledger, peers, network, self, standing, records, alarms, log },
        survey: async () => (await repairs.recent()).survey,
        clock: { ...clock, sleep: untilAborted },
        entropy: this.#cluster.world.random,
      },
      undefined,
    );
    this.run = {
      ...{ store, storage, repairs, challenger },
      scrub: parts.Scrub.open(
        {
          ...{ store, records, clock, log, alarms, entropy: this.#cluster.world.random },
          pace: new parts.Pace(clock, () => scrubPace),
          isBusy: () => false,
          onDamage: () => this.lookSoon(),
        },
        await parts.readScrub(records),
      ),
    };
  }

  /** Its time goes on while it works, and others wait for it when they ask. */
  #clock(): Clock {
    const now = (): number => this.#cluster.nowMs + this.#aheadMs;
    return {
      nowMs: () => epochMs + now(),
      monotonicMs: () => now() - this.#startMs,
      sleep: async (ms: number, { signal }: Cancel = {}) => {
        signal?.throwIfAborted();
        this.#aheadMs += ms;
      },
    };
  }

  /** All have come so much further. */
  pass(ms: number): void {
    this.#aheadMs = Math.max(0, this.#aheadMs - ms);
  }

  get peers(): Pick<Peers, 'isReachable'> & Peers {
    const reachable = () =>
      this.#cluster.hosts.filter((one) => one !== this && this.#cluster.isReached(this, one));
    return {
      isReachable: (peer: string) => reachable().some(({ person }) => person.peerKey === peer),
      reachable: () => reachable().map(({ person }) => this.ledger.roster.member(person.agentKey)),
      freeBytes: () => 1,
    } as unknown as Peers;
  }

  get standing(): Standing {
    return {
      isLost: (site) => this.lost.has(site),
      isLeaving: () => false,
      isFailing: (agent) => this.run?.challenger.isFailing(agent) === true,
    };
  }

  async #pull(...[peer, { pack, index, leaf, count, withHead }]: Parameters<Network['pull']>) {
    const host = this.#cluster.hosts.find(({ person }) => person.peerKey === peer);
    const store = host?.run?.store;
    if (host === undefined || store === undefined || !this.#cluster.isReached(this, host)) {
      throw new HoldfastError('peer-unreachable', 'it does not answer');
    }
    const name = [idOf<PackId>(pack), index] as const;
    try {
      const bytes = await store.read(...name, leaf, count);
      return withHead ? { bytes, head: await store.head(...name) } : { bytes };
    } catch (error) {
      // It has seen for itself that something is wrong.
      host.lookSoon();
      throw error;
    }
  }

  /** Signs for what has come, and takes care of what it has. */
  async work(): Promise<void> {
    const { run } = this;
    if (run === undefined) return;
    if (this.#unsigned) {
      this.#unsigned = false;
      for (const record of this.ledger.manifests()) {
        if (this.#signed.has(record.hash) || this.#cluster.isDiscarded(record)) continue;
        this.#signed.add(record.hash);
        await run.storage.sign(record);
      }
    }
    await run.scrub.advance();
    if (this.lookAtMs > this.#cluster.nowMs || this.isBusy) return;
    await run.repairs.round();
    const { tasks, awaited } = run.repairs.state.judgement ?? {};
    const isWhole = tasks?.length === 0 && awaited?.size === 0;
    // What is whole stays whole until somebody says something else.
    const dueMs = isWhole ? Number.POSITIVE_INFINITY : this.#startMs + run.repairs.dueMs;
    this.lookAtMs = Math.max(this.#cluster.nowMs + shortStepMs, dueMs);
  }

  /** Asks each of the others for a leaf, as it does all day long. */
  async challenge(): Promise<void> {
    const names = (): string => this.failing.map(({ name }) => name).join();
    const before = names();
    await this.run?.challenger.round();
    if (names() !== before) this.lookSoon();
  }

  /** Who has not shown it what they have signed for. */
  get failing(): YearHost[] {
    return this.#cluster.hosts.filter(
      ({ person }) => this.run?.challenger.isFailing(person.agentKey) === true,
    );
  }

  /** Statements have come. */
  hear(delayMs: number): void {
    this.#unsigned = true;
    this.lookSoon(delayMs);
  }

  /** Something may have changed since it has looked: what is said then counts as well. */
  lookSoon(delayMs = 0): void {
    this.lookAtMs = Math.min(this.lookAtMs, this.#cluster.nowMs + delayMs);
  }

  /** A shard has come from its source: the receipts for it are signed again. */
  takenLate(): void {
    this.#signed.clear();
    this.#unsigned = true;
    this.lookSoon();
  }

  get receipts(): number {
    return this.ledger.head(this.person.agentKey, receiptStream)?.sequence ?? 0;
  }

  /** How many it knows of all: who knows as many and has not been apart knows the same. */
  get statements(): number {
    let count = 0;
    for (const { entries } of this.disk.device.sequences.values()) count += entries.length;
    return count;
  }
}
