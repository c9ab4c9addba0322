import { inlineCompute } from '../../src/adapters/compute/inline.ts';
import type { HotRule } from '../../src/core/policy/policy-terms.ts';
import type { ManifestRecord } from '../../src/services/ledger.ts';
import { Pace } from '../../src/services/pace.ts';
import { BadPacks } from '../../src/services/repair/bad-packs.ts';
import { RepairKeeper } from '../../src/services/repair/repair-keeper.ts';
import { RepairReads } from '../../src/services/repair/repair-reads.ts';
import { RepairView } from '../../src/services/repair/repair-view.ts';
import { ShardRebuilder } from '../../src/services/repair/shard-rebuilder.ts';
import { HotKeeper, type HotKeeperOptions } from '../../src/services/tiers/hot-keeper.ts';
import { HotView } from '../../src/services/tiers/hot-view.ts';
import type { BackupSite } from './backup-site.ts';
import { MemoryRecords } from './memory-records.ts';

/** What hosts are told from outside: by the policy, by the control log, by their load. */
export class HotRules {
  hot: HotRule | undefined = { sites: ['site-0'] };
  isBusy = false;
  /** As far as the host knows. */
  isKnown = true;
  readonly lost = new Set<string>();
  readonly leaving = new Set<string>();
  readonly discarded = new Set<string>();
}

/** A host with what looks after its shards. */
export type HotHost = BackupSite & {
  readonly hot: HotKeeper;
  readonly hotView: HotView;
  readonly repairs: RepairKeeper;
  readonly repairView: RepairView;
};

export type HotHostChange = Partial<Pick<HotKeeperOptions, 'store' | 'bytesMax'>>;

export async function hotHost(
  at: BackupSite,
  told: HotRules,
  change: HotHostChange = {},
): Promise<HotHost> {
  const { ledger, facts, peers, clock, network, shards, storage, extras, logger: log } = at;
  const { agentKey: self } = at.agent;
  const { store } = shards;
  const standing = {
    isLost: (name: string) => told.lost.has(name),
    isLeaving: (member: { site: string }) => told.leaving.has(member.site),
    isFailing: () => false,
  };
  const isDiscarded = ({ hash }: ManifestRecord): boolean => told.discarded.has(hash);
  const rules = {
    ruleFor: () => ({ match: '*', ...(told.hot && { tiers: { hot: told.hot } }) }),
  };
  const ages = {
    sinceMs: ({ statement }: ManifestRecord) => statement.timeMs,
    nowMs: () => clock.nowMs(),
  };
  const shared = { ledger, facts, peers, clock, network, self, log, standing, isDiscarded };
  const repairView = new RepairView(shared);
  const reading = { ...shared, store, pace: new Pace(clock, () => 0) };
  const rebuilder = new ShardRebuilder({
    ...{ ...reading, ...change, repairReads: new RepairReads(clock), compute: inlineCompute() },
  });
  const badPacks = await BadPacks.read(new MemoryRecords());
  const keeping = { ...shared, store, storage, extras, rebuilder, badPacks };
  const repairs = new RepairKeeper({
    ...{ ...keeping, view: repairView, records: new MemoryRecords(), isEnabled: true },
    alarms: { raise: async () => {} },
  });
  const keeper = new HotKeeper({
    ...{ ...keeping, ...rules, ...ages, ...change },
    isPolicyKnown: () => told.isKnown,
    judge: () => repairs.look(),
    isAsked: () => told.hot?.sites.includes(at.agent.descriptor.site) === true,
    isBusy: () => told.isBusy,
    records: new MemoryRecords(),
  });
  const hotView = new HotView({
    ...{ ...shared, ...rules, ...ages, store, keeper, extras, tiers: undefined },
    survey: async () => (await repairs.look()).survey,
    isAsked: () => told.hot !== undefined,
  });
  return { ...at, hot: keeper, hotView, repairs, repairView };
}
