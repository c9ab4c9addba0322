import type { DatasetRule, PolicyTerms } from '../core/policy/policy-terms.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import type { BadPacks } from '../services/repair/bad-packs.ts';
import type { Survey } from '../services/repair/pack-survey.ts';
import type { RepairKeeper } from '../services/repair/repair-keeper.ts';
import type { ShardRebuilder } from '../services/repair/shard-rebuilder.ts';
import { HotKeeper } from '../services/tiers/hot-keeper.ts';
import { HotView } from '../services/tiers/hot-view.ts';
import type { UpkeepOptions } from './upkeep.ts';

export type HotTierOptions = Omit<UpkeepOptions, 'badPacks'> & {
  /** Undefined on an agent that holds no shards. */
  readonly rebuilder: ShardRebuilder | undefined;
  readonly repairs: RepairKeeper;
  readonly badPacks: BadPacks;
};

/** Full copies at the sites that the policy names: those that this host makes, and how far all of them are. */
export class HotTier {
  readonly view: HotView;
  /** Undefined on an agent that holds no shards. */
  readonly keeper: HotKeeper | undefined;

  constructor(options: HotTierOptions) {
    const { ledger, self, control, packUse, store, storage, rebuilder, repairs } = options;
    const { locks, hostClock, promises: records, tiers, config } = options;
    const policy = (): Pick<PolicyTerms, 'rules'> => control.log.state.policy.current;
    const shared = {
      ...options,
      records,
      isDiscarded: (record: ManifestRecord) => packUse.isDiscarded(record),
      ruleFor: (name: string): DatasetRule => control.log.state.policy.ruleFor(name),
      nowMs: () => hostClock.nowMs(),
    };
    // Who holds nothing locks nothing, and has only the source's word for how old a snapshot is.
    const sinceMs = (record: ManifestRecord): number | undefined =>
      store === undefined ? record.statement.timeMs : locks.of(record.hash)?.sinceMs;
    if (store !== undefined && storage !== undefined && rebuilder !== undefined) {
      const ownSite = ledger.roster.member(self)?.site ?? '';
      this.keeper = new HotKeeper({
        ...{ ...shared, sinceMs, store, storage, rebuilder },
        isPolicyKnown: () => control.log.status().leader !== undefined,
        judge: ({ isNow }) => (isNow ? repairs.look() : repairs.recent()),
        isAsked: () => policy().rules.some((rule) => rule.tiers?.hot?.sites.includes(ownSite)),
        bytesMax: config.storage.limit,
      });
    }
    const survey = async (): Promise<Survey> => (await repairs.recent()).survey;
    this.view = new HotView({
      ...{ ...shared, sinceMs, store, tiers, survey, keeper: this.keeper },
      isAsked: () => policy().rules.some((rule) => rule.tiers?.hot !== undefined),
    });
  }

  /** Until the signal. */
  async run(options: Cancel): Promise<void> {
    await this.keeper?.run(options);
  }
}
