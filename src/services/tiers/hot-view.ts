import { secondMs } from '../../base/units.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import type { AgentKey, DatasetId, PackId } from '../../core/ids.ts';
import { bitCount } from '../../core/policy/durability.ts';
import { dataMaskOf } from '../../core/policy/hot-copy.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { ShardTiers } from '../../ports/shard-tiers.ts';
import type { Peers } from '../peers.ts';
import type { Survey } from '../repair/pack-survey.ts';
import { storageMembers } from '../residency.ts';
import type { Standing } from '../standing.ts';
import type { ExtraShards } from './extra-shards.ts';
import { type HotDataset, type HotDatasetsOptions, hotDatasets } from './hot-datasets.ts';
import type { HotKeeper } from './hot-keeper.ts';
import { isWhole } from './hot-plan.ts';

export type HotViewOptions = HotDatasetsOptions & {
  readonly self: AgentKey;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly standing: Standing;
  /** These are undefined on a host that holds no shards. */
  readonly store: Pick<ShardStore, 'indexes'> | undefined;
  readonly keeper: Pick<HotKeeper, 'state'> | undefined;
  /** Undefined on a host without a cold store. */
  readonly tiers: Pick<ShardTiers, 'cold'> | undefined;
  readonly extras: Pick<ExtraShards, 'packs' | 'maskOf'>;
  /** From the last look at all packs. */
  readonly survey: () => Promise<Survey>;
  /** Some rule of the policy wants full copies somewhere. */
  readonly isAsked: () => boolean;
  readonly clock: Clock;
};

/** How far the full copy of a dataset at one site is. */
export type HotSite = {
  readonly site: string;
  readonly packs: number;
  /** Packs that one host there holds whole. */
  readonly copied: number;
  /** Still to be made there. */
  readonly missingBytes: number;
  /** Why nothing or not everything is made; undefined: nothing is known to be wrong. */
  readonly problem: string | undefined;
};

export type HotCopies = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  readonly sites: readonly HotSite[];
};

/** All packs are gone through for an answer: whoever asks often gets the one before. */
const answerMs = 5 * secondMs;

/** How far full copies are, at all sites, as this host has heard it. */
export class HotView {
  readonly #options: HotViewOptions;
  #answer: { readonly copies: Promise<readonly HotCopies[]>; readonly untilMs: number } | undefined;

  constructor(options: HotViewOptions) {
    this.#options = options;
  }

  copies(): Promise<readonly HotCopies[]> {
    const { clock, isAsked } = this.#options;
    if (!isAsked()) return Promise.resolve([]);
    const nowMs = clock.monotonicMs();
    if (this.#answer !== undefined && nowMs < this.#answer.untilMs) return this.#answer.copies;
    const copies = this.#look();
    this.#answer = { copies, untilMs: nowMs + answerMs };
    copies.catch(() => {
      this.#answer = undefined;
    });
    return copies;
  }

  /** What is here only for full copies. */
  async extraUsage(): Promise<{ shards: number; bytes: number }> {
    const { extras, store, survey } = this.#options;
    const sum = { shards: 0, bytes: 0 };
    if (extras.packs().length === 0) return sum;
    const { packs } = await survey();
    for (const pack of extras.packs()) {
      const held = (store?.indexes(pack) ?? []).reduce((mask, index) => mask | (1 << index), 0);
      const count = bitCount((held & extras.maskOf(pack)) >>> 0);
      const entry = packs.get(pack)?.entry;
      sum.shards += count;
      if (entry !== undefined) sum.bytes += count * sizeOf(entry);
    }
    return sum;
  }

  async #look(): Promise<readonly HotCopies[]> {
    const survey = await this.#options.survey();
    const all = await hotDatasets(this.#options);
    return all.map((one) => ({
      ...{ writer: one.writer, dataset: one.dataset },
      sites: one.sites.map((site) => this.#site(one, site, survey)),
    }));
  }

  #site(hot: HotDataset, site: string, survey: Survey): HotSite {
    const { ledger, standing } = this.#options;
    const members = storageMembers(ledger.roster, hot, standing).filter((one) => one.site === site);
    let copied = 0;
    let missingBytes = 0;
    for (const entry of hot.packs.values()) {
      const masks = members.map((member) => this.#maskOf(survey, member, entry.pack));
      if (masks.some((mask) => isWhole(entry, mask))) copied++;
      else missingBytes += leastMissing(entry, masks) * sizeOf(entry);
    }
    const packs = hot.packs.size;
    const problem = this.#problem(site, members, { isDone: copied === packs });
    return { site, packs, copied, missingBytes, problem };
  }

  /** Of this host what lies on its disk; of others what they have signed for. */
  #maskOf({ packs }: Survey, { agentKey }: Member, pack: PackId): number {
    const { self, store, tiers } = this.#options;
    if (agentKey !== self) return packs.get(pack)?.words.get(agentKey)?.mask ?? 0;
    const cold = tiers?.cold(pack) ?? [];
    const held = (store?.indexes(pack) ?? []).filter((index) => !cold.includes(index));
    return held.reduce((mask, index) => mask | (1 << index), 0);
  }

  #problem(
    site: string,
    members: readonly Member[],
    { isDone }: { readonly isDone: boolean },
  ): string | undefined {
    const { self, ledger, peers, standing, keeper } = this.#options;
    if (members.length === 0) {
      const all = ledger.roster.members().filter((one) => one.site === site);
      if (all.length === 0) return 'there is no such site';
      if (standing.isLost(site)) return 'the site is lost';
      if (all.some((one) => standing.isLeaving(one))) return 'its hosts are to leave';
      return 'no host there may hold it: holdfast policy show';
    }
    if (isDone) return undefined;
    if (members.some(({ agentKey }) => agentKey === self)) return keeper?.state.problem;
    const isThere = members.some(({ peerKey }) => peers.isReachable(peerKey));
    return isThere ? undefined : 'no host there can be reached';
  }
}

function leastMissing(entry: PackEntry, masks: readonly number[]): number {
  const whole = dataMaskOf(entry);
  return Math.min(entry.k, ...masks.map((mask) => bitCount((whole & ~mask) >>> 0)));
}

function sizeOf({ k, size }: PackEntry): number {
  return shardSizeOf({ k, packSize: size });
}
