import type { PackEntry } from '../../core/format/facts.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import type { AgentKey, PackId } from '../../core/ids.ts';
import { dataMaskOf, type HotHost, hotHostOf } from '../../core/policy/hot-copy.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import { keptMask, type Survey } from '../repair/pack-survey.ts';
import type { Judgement } from '../repair/repair-view.ts';
import { storageMembers } from '../residency.ts';
import type { Standing } from '../standing.ts';
import type { ExtraShards } from './extra-shards.ts';
import { type HotDatasetsOptions, hotDatasets } from './hot-datasets.ts';

export type HotPlanOptions = HotDatasetsOptions & {
  readonly self: AgentKey;
  readonly standing: Standing;
  /** False after a start, until the control log has been heard: an older policy may still be in force here. */
  readonly isPolicyKnown: () => boolean;
  readonly store: Pick<ShardStore, 'indexes' | 'trash'>;
  readonly extras: Pick<ExtraShards, 'packs' | 'maskOf'>;
};

/** What this host is to have of full copies. */
export type HotPlan = {
  /** Packs that it is to hold whole, those of the newest snapshots first. */
  readonly wanted: ReadonlyMap<PackId, PackEntry>;
  /** Packs that another host of its site is to hold, and does not hold whole yet. */
  readonly underWay: ReadonlySet<PackId>;
  /** False: something may be hot that is not known here, so nothing is removed. */
  readonly isCertain: boolean;
};

export async function planHot(options: HotPlanOptions, survey: Survey): Promise<HotPlan> {
  const { ledger, self, standing, isPolicyKnown } = options;
  const own = ledger.roster.member(self);
  const wanted = new Map<PackId, PackEntry>();
  const underWay = new Set<PackId>();
  if (own === undefined || standing.isLeaving(own)) return { wanted, underWay, isCertain: false };
  let missingLists = survey.missingLists;
  for (const { writer, dataset, sites, packs, missingLists: missing } of await hotDatasets(
    options,
  )) {
    missingLists += missing;
    if (!sites.includes(own.site)) continue;
    const members = storageMembers(ledger.roster, { writer, dataset }, standing).filter(
      ({ site }) => site === own.site,
    );
    for (const [pack, entry] of packs) {
      const hosts = members.map((member) => hostIn(survey, member, entry));
      const chosen = hotHostOf(entry, hosts);
      if (chosen === undefined) continue;
      if (chosen === self) wanted.set(pack, entry);
      else if (!hosts.some(({ agent, mask }) => agent === chosen && isWhole(entry, mask))) {
        underWay.add(pack);
      }
    }
  }
  return { wanted, underWay, isCertain: missingLists === 0 && isPolicyKnown() };
}

function hostIn({ packs, freeBytes }: Survey, member: Member, entry: PackEntry): HotHost {
  const { agentKey: agent } = member;
  const { pack, k, size } = entry;
  const free = freeBytes.get(agent);
  return {
    agent,
    mask: packs.get(pack)?.words.get(agent)?.mask ?? 0,
    hasRoom: free === undefined || free > k * shardSizeOf({ k, packSize: size }),
  };
}

/** Whether these are all that a full copy needs. */
export function isWhole(entry: PackEntry, mask: number): boolean {
  const whole = dataMaskOf(entry);
  return (mask & whole) === whole;
}

/**
 * Shards that are here for full copies which are wanted no more, and that can go: other hosts keep the same
 * ones for good, and nothing of the pack is missing or on its way. So each pack outlives as much as it should without
 * what was here for speed. A shard that others have for a copy of their own counts for nothing: it may go as well.
 */
export function removableExtras(
  options: HotPlanOptions,
  plan: HotPlan,
  { survey, tasks, awaited, lost }: Judgement,
): Map<PackId, number[]> {
  const { extras, store } = options;
  const removable = new Map<PackId, number[]>();
  if (!plan.isCertain) return removable;
  const unsettled = new Set([
    ...tasks.map(({ entry }) => entry.pack),
    ...awaited,
    ...lost.map(({ pack }) => pack),
  ]);
  for (const pack of extras.packs()) {
    if (plan.wanted.has(pack) || plan.underWay.has(pack) || unsettled.has(pack)) continue;
    const kept = keptElsewhere(options, survey, pack);
    const mask = extras.maskOf(pack) & kept;
    const indexes = store.indexes(pack).filter((index) => ((mask >>> index) & 1) === 1);
    if (indexes.length > 0) removable.set(pack, indexes);
  }
  return removable;
}

/** What other hosts that stay keep of a pack, by their newest word. */
function keptElsewhere(
  { ledger, self, standing }: HotPlanOptions,
  { packs }: Survey,
  pack: PackId,
): number {
  let kept = 0;
  for (const [agent, word] of packs.get(pack)?.words ?? []) {
    const member = ledger.roster.member(agent);
    if (agent === self || member === undefined || standing.isFailing(agent)) continue;
    if (!member.hasRole('storage') || standing.isLost(member.site)) continue;
    if (!standing.isLeaving(member)) kept |= keptMask(word);
  }
  return kept;
}

/** Packs of which nothing is left here, in the trash neither: what was noted of them is of no use. */
export function forgottenExtras({ extras, store }: HotPlanOptions): PackId[] {
  const trashed = new Set(store.trash().map(({ pack }) => pack));
  return extras.packs().filter((pack) => {
    const isHeld = store.indexes(pack).some((index) => (extras.maskOf(pack) >>> index) & 1);
    return !isHeld && !trashed.has(pack);
  });
}
