import { MiB } from '../base/units.ts';
import type { AgentKey } from '../core/ids.ts';
import type { Compute } from '../ports/compute.ts';
import type { Network } from '../ports/network.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Cancel, Clock, Entropy, Log } from '../ports/runtime.ts';
import type { LockLedger } from '../ports/lock-ledger.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { ShardTiers } from '../ports/shard-tiers.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Alarms } from '../services/alarms.ts';
import type { ControlAccess } from '../services/control/control-access.ts';
import type { HostClock } from '../services/host-clock.ts';
import type { Ledger } from '../services/ledger.ts';
import { Pace } from '../services/pace.ts';
import type { PackUse } from '../services/pack-use.ts';
import type { Peers } from '../services/peers.ts';
import { BadPacks } from '../services/repair/bad-packs.ts';
import { Challenger, readChallenges } from '../services/repair/challenger.ts';
import { DrainWatch } from '../services/repair/drain-watch.ts';
import type { Survey } from '../services/repair/pack-survey.ts';
import { RepairKeeper } from '../services/repair/repair-keeper.ts';
import { RepairReads } from '../services/repair/repair-reads.ts';
import { RepairView } from '../services/repair/repair-view.ts';
import { ShardGatherer } from '../services/repair/shard-gatherer.ts';
import { readScrub, Scrub } from '../services/repair/scrub.ts';
import { ShardRebuilder } from '../services/repair/shard-rebuilder.ts';
import type { Serve } from '../services/serve.ts';
import type { Standing } from '../services/standing.ts';
import type { StoragePeer } from '../services/storage-peer.ts';
import type { Sync } from '../services/sync.ts';
import type { ExtraShards } from '../services/tiers/extra-shards.ts';
import { TierKeeper } from '../services/tiers/tier-keeper.ts';
import { HotTier } from './hot-tier.ts';
import type { Config } from './config.ts';

/** Of a busy host whose care has no limit otherwise. */
const busyPace = 32 * MiB;

/** What upkeep has written down before. */
export type UpkeepRecords = {
  readonly badPacks: BadPacks;
  readonly challenges: unknown;
  readonly scrubbed: unknown;
};

/** What upkeep needs of the world beside what services share. */
export type UpkeepPorts = {
  /** Undefined on a host without a cold store: all that it holds is on its disk. */
  readonly tiers?: ShardTiers | undefined;
};

export type UpkeepOptions = UpkeepRecords &
  UpkeepPorts & {
    readonly ledger: Ledger;
    readonly facts: FactStore;
    readonly peers: Peers;
    readonly sync: Sync;
    readonly serve: Pick<Serve, 'register'>;
    readonly network: Network;
    readonly compute: Compute;
    readonly self: AgentKey;
    readonly standing: Standing;
    readonly packUse: PackUse;
    readonly alarms: Alarms;
    /** Undefined on an agent that holds no shards, as is `storage`. */
    readonly store: ShardStore | undefined;
    readonly storage: StoragePeer | undefined;
    /** What is here only as part of full copies. */
    readonly extras: ExtraShards;
    readonly config: Pick<Config, 'repair' | 'scrub' | 'cold' | 'storage'>;
    readonly control: { readonly log: Pick<ControlAccess, 'state' | 'status'> };
    readonly locks: LockLedger;
    readonly hostClock: HostClock;
    readonly promises: RecordStore;
    /** A backup or a restore uses this host now. */
    readonly isBusy: () => boolean;
    /** Of the usual pace, 0 to 1: less while the host is busy with whatever. */
    readonly careShare: () => number;
    readonly clock: Clock;
    readonly entropy: Entropy;
    readonly log: Log;
  };

/** @throws HoldfastError corrupt | io-error */
export async function readUpkeep(records: RecordStore): Promise<UpkeepRecords> {
  return {
    badPacks: await BadPacks.read(records),
    challenges: await readChallenges(records),
    scrubbed: await readScrub(records),
  };
}

/** What an agent does so that what is stored stays whole. */
export class Upkeep {
  readonly repairs: RepairKeeper;
  readonly view: RepairView;
  /** Bytes a second that this host reads at most to make shards. */
  readonly repairBandwidth: number;
  readonly badPacks: BadPacks;
  readonly challenger: Challenger;
  readonly drainWatch: DrainWatch;
  /** Undefined on an agent that holds no shards. */
  readonly scrub: Scrub | undefined;
  /** Undefined on an agent without a cold store, or that holds no shards. */
  readonly tierKeeper: TierKeeper | undefined;
  readonly tiers: ShardTiers | undefined;
  readonly hot: HotTier;
  readonly #openShards: () => ShardGatherer;
  readonly #duties: readonly { run(options: Cancel): Promise<void> }[];

  constructor(options: UpkeepOptions) {
    const { store, clock, config, packUse, promises: records } = options;
    this.badPacks = options.badPacks;
    this.drainWatch = new DrainWatch(options);
    this.drainWatch.answer(options.serve);
    this.repairBandwidth = config.repair.bandwidth;
    this.view = new RepairView({
      ...options,
      isDiscarded: (record) => packUse.isDiscarded(record),
    });
    const slowed = (usual: number): number => {
      const share = options.careShare();
      return share === 1 ? usual : Math.max(1, (usual || busyPace) * share);
    };
    const pace = new Pace(clock, () => slowed(config.repair.bandwidth));
    const reading = { pace, repairReads: new RepairReads(clock) };
    this.#openShards = () => new ShardGatherer({ ...options, store, ...reading });
    const rebuilder =
      store === undefined ? undefined : new ShardRebuilder({ ...options, store, ...reading });
    this.repairs = new RepairKeeper({
      ...{ ...options, view: this.view, rebuilder, records },
      isEnabled: config.repair.enabled,
    });
    const survey = async (): Promise<Survey> => (await this.repairs.recent()).survey;
    this.challenger = Challenger.open({ ...options, records, survey }, options.challenges);
    const readBack = new Pace(clock, () => slowed(config.scrub.bandwidth));
    const onDamage = (): void => this.repairs.begin();
    this.scrub =
      store === undefined
        ? undefined
        : Scrub.open({ ...options, store, records, pace: readBack, onDamage }, options.scrubbed);
    const { tiers } = options;
    this.tiers = tiers;
    this.tierKeeper =
      store === undefined || tiers === undefined
        ? undefined
        : new TierKeeper({
            ...{ ...options, store, tiers },
            pace: new Pace(clock, () => slowed(config.cold.bandwidth)),
            isDiscarded: (record) => packUse.isDiscarded(record),
            ruleFor: (name) => options.control.log.state.policy.ruleFor(name),
            ownSite: options.ledger.roster.member(options.self)?.site,
          });
    const { repairs, badPacks } = this;
    this.hot = new HotTier({ ...options, rebuilder, repairs, badPacks });
    const storing = this.scrub === undefined ? [] : [this.repairs, this.scrub];
    const moving = this.tierKeeper === undefined ? [] : [this.tierKeeper];
    this.#duties = [this.challenger, ...storing, ...moving, this.hot];
  }

  /** A backup of this host begins. @returns what is to be called when it has ended */
  beginBackup(): () => void {
    return this.drainWatch.underWay.begin();
  }

  /** Reads shards of others as repairs do, at the same pace. */
  openShards(): ShardGatherer {
    return this.#openShards();
  }

  /** Until the signal. */
  async run(options: Cancel): Promise<void> {
    await Promise.all(this.#duties.map((duty) => duty.run(options)));
  }
}
