import { decodePackSegment, type PackEntry } from '../../core/format/facts.ts';
import { type FactHash, idBytes, type PackId, shortId } from '../../core/ids.ts';
import { isHot } from '../../core/policy/hot-copy.ts';
import { type LockEnds, longest, noLock } from '../../core/policy/lock.ts';
import type { DatasetRule } from '../../core/policy/policy-terms.ts';
import type { LockLedger } from '../../ports/lock-ledger.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { ShardTiers } from '../../ports/shard-tiers.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';

export type TierPlanOptions = {
  readonly ledger: Pick<Ledger, 'manifests' | 'packSegments' | 'roster'>;
  readonly facts: Pick<FactStore, 'get'>;
  readonly locks: Pick<LockLedger, 'of'>;
  readonly store: Pick<ShardStore, 'indexes'>;
  readonly tiers: Pick<ShardTiers, 'cold' | 'coldUsage'>;
  /** In the trash, or gone. */
  readonly isDiscarded: (record: ManifestRecord) => boolean;
  /** What the signed policy says of datasets with this name. */
  readonly ruleFor: (name: string) => DatasetRule;
  /** Where this host is: what is hot there does not go to its cold store. */
  readonly ownSite?: string | undefined;
};

/** What is to be moved at this host; moves are bounded: what is left out comes with the next plan. */
export type TierPlan = {
  /** Packs that only old snapshots need, with the locks of all of these: those that are cold already, too. */
  readonly cold: ReadonlyMap<PackId, LockEnds>;
  /** Packs that are cold, and needed by a young snapshot, or not to be cold any more. */
  readonly warm: ReadonlySet<PackId>;
  /** Why some dataset stays as it is. */
  readonly reasons: readonly string[];
};

type Dataset = { readonly young: Set<FactHash>; readonly old: Map<FactHash, ManifestRecord[]> };

/** Packs of one dataset that are moved in one round, each way. */
const movesMax = 50_000;

/**
 * Where packs belong at this host. A pack is as young as the newest snapshot that needs it, by the time at which this
 * host first saw that snapshot committed: a source's clock decides nothing. Metadata stays: without it nobody could say
 * what else is needed.
 */
export async function planTiers(
  options: TierPlanOptions,
  nowMs: number,
  bounds = { movesMax },
): Promise<TierPlan> {
  const { ledger, tiers, isDiscarded, ruleFor } = options;
  const cold = new Map<PackId, LockEnds>();
  const warm = new Set<PackId>();
  const reasons: string[] = [];
  const live = ledger.manifests().filter((record) => !isDiscarded(record));
  const isSomeCold = tiers.coldUsage().shards > 0;
  for (const [dataset, records] of Map.groupBy(live, ({ manifest }) => manifest.dataset)) {
    const afterOf = (record: ManifestRecord): number | undefined =>
      ruleFor(ruleNameOf(ledger, record)).tiers?.coldAfterMs;
    const isTiered = records.some((record) => afterOf(record) !== undefined);
    if (!isTiered && !isSomeCold) continue;
    const parts = await split(options, records, (record) => isOld(options, record, afterOf, nowMs));
    const problem = await planDataset({ ...options, ...bounds }, parts, { cold, warm });
    if (problem !== undefined) reasons.push(`dataset ${shortId(dataset)}: ${problem}`);
  }
  return { cold, warm, reasons };
}

function isOld(
  { ledger, locks, ruleFor, ownSite = '' }: TierPlanOptions,
  record: ManifestRecord,
  afterOf: (record: ManifestRecord) => number | undefined,
  nowMs: number,
): boolean {
  const afterMs = afterOf(record);
  const sinceMs = locks.of(record.hash)?.sinceMs;
  if (afterMs === undefined || sinceMs === undefined) return false;
  const ageMs = nowMs - sinceMs;
  const rule = ruleFor(ruleNameOf(ledger, record));
  const isHotHere = rule.tiers?.hot?.sites.includes(ownSite) === true && isHot(rule, ageMs);
  return ageMs >= afterMs && !isHotHere;
}

/** Lists of packs that a young snapshot has, and those that only old ones have. */
async function split(
  { ledger }: TierPlanOptions,
  records: readonly ManifestRecord[],
  isOldOne: (record: ManifestRecord) => boolean,
): Promise<Dataset> {
  const young = new Set<FactHash>();
  const old = new Map<FactHash, ManifestRecord[]>();
  for (const record of records) {
    const isOldRecord = isOldOne(record);
    for (const { hash } of await ledger.packSegments(record)) {
      if (isOldRecord) old.set(hash, [...(old.get(hash) ?? []), record]);
      else young.add(hash);
    }
  }
  for (const hash of young) old.delete(hash);
  return { young, old };
}

/** @returns why nothing of the dataset is moved; undefined: it was planned */
async function planDataset(
  options: TierPlanOptions & { readonly movesMax: number },
  { young, old }: Dataset,
  plan: { cold: Map<PackId, LockEnds>; warm: Set<PackId> },
): Promise<string | undefined> {
  const { store, tiers } = options;
  const candidates = new Map<PackId, LockEnds>();
  let moves = 0;
  for (const [segment, users] of old) {
    const packs = await packsOf(options, segment);
    if (packs === undefined) return 'a list of packs has not arrived here';
    const ends = locksOf(options, users);
    for (const { pack, type } of packs) {
      const held = store.indexes(pack).length;
      if (type !== 'data' || held === 0) continue;
      const known = candidates.get(pack);
      const isMove = known === undefined && held > tiers.cold(pack).length;
      if (isMove && moves >= options.movesMax) continue;
      if (isMove) moves++;
      candidates.set(pack, known === undefined ? ends : longest(known, ends));
    }
  }
  const back = new Set<PackId>();
  for (const segment of young) {
    const packs = await packsOf(options, segment);
    if (packs === undefined) return 'a list of packs has not arrived here';
    for (const { pack } of packs) {
      candidates.delete(pack);
      if (back.size < options.movesMax && tiers.cold(pack).length > 0) back.add(pack);
    }
  }
  for (const [pack, ends] of candidates) plan.cold.set(pack, ends);
  for (const pack of back) plan.warm.add(pack);
  return undefined;
}

function locksOf({ locks }: TierPlanOptions, users: readonly ManifestRecord[]): LockEnds {
  return users.reduce((ends, { hash }) => longest(ends, locks.of(hash) ?? noLock), noLock);
}

async function packsOf(
  { facts }: TierPlanOptions,
  segment: FactHash,
): Promise<readonly PackEntry[] | undefined> {
  const fact = await facts.get(idBytes(segment));
  return fact === undefined ? undefined : decodePackSegment(fact);
}

/** The first name that the dataset had, as for all rules. */
function ruleNameOf(
  { roster }: Pick<Ledger, 'roster'>,
  { statement, manifest }: ManifestRecord,
): string {
  return roster.datasetOf(statement.writer, manifest.dataset)?.ruleName ?? '';
}
