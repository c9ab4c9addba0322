import { formatSize } from '../base/quantity.ts';
import { HoldfastError } from '../core/errors.ts';
import { type DatasetId, shortId } from '../core/ids.ts';
import type { HotSite } from '../services/tiers/hot-view.ts';
import type { Agent } from './agent.ts';
import type { ColdStoreReport, HotCopyReport, StoreApi, StoresReport } from './store-types.ts';

export function storeApi(agent: Agent): StoreApi {
  return { stores: async ({ isNow }) => storesReport(agent, isNow) };
}

async function storesReport(agent: Agent, isNow: boolean): Promise<StoresReport> {
  const { store, upkeep } = agent;
  if (store === undefined) {
    throw new HoldfastError('not-permitted', 'this host stores nothing for the cluster', {
      next: 'run it on a host with the role storage: holdfast peer list',
    });
  }
  if (isNow && upkeep.tierKeeper === undefined) {
    throw new HoldfastError('usage', 'this host has no cold store', {
      next: 'set cold.store in its configuration and start the agent again: docs/tiers.md',
    });
  }
  if (isNow) upkeep.tierKeeper?.begin();
  const cold = coldStatus(agent);
  const { shards, bytes, freeBytes } = store.usage();
  const { shards: hotShards, bytes: hotBytes } = await upkeep.hot.view.extraUsage();
  const warmShards = shards - hotShards - (cold?.shards ?? 0);
  const warm = { shards: warmShards, bytes: bytes - hotBytes, freeBytes };
  const copies = await hotCopies(agent);
  return {
    warm,
    ...(hotShards === 0 ? {} : { hot: { shards: hotShards, bytes: hotBytes } }),
    ...(cold === undefined ? {} : { cold }),
    copies: [...copies].flatMap(([id, reports]) => {
      const dataset = agent.ledger.roster.datasets().find((one) => one.id === id)?.name;
      return reports.map((report) => ({ dataset: dataset ?? shortId(id), ...report }));
    }),
  };
}

/** Full copies that the policy wants, by dataset. */
export async function hotCopies({
  upkeep,
}: Agent): Promise<ReadonlyMap<DatasetId, HotCopyReport[]>> {
  const reports = new Map<DatasetId, HotCopyReport[]>();
  for (const { dataset, sites } of await upkeep.hot.view.copies()) {
    const known = reports.get(dataset) ?? [];
    reports.set(dataset, [...known, ...sites.map(copyReport)]);
  }
  return reports;
}

function copyReport(hot: HotSite): HotCopyReport {
  const { site, packs, copied, missingBytes, problem } = hot;
  const known = { site, packs, copied, missingBytes };
  return { ...known, ...(problem === undefined ? {} : { problem }), words: copyWords(hot) };
}

/** "hot: full copy at ams1, 100 %"; "hot at ams1: 93 %, 12 packs to copy (190 MiB): no room: ...". */
export function copyWords({ site, packs, copied, missingBytes, problem }: HotSite): string {
  const why = problem === undefined ? '' : `: ${problem}`;
  if (packs === 0 && problem === undefined) return `hot at ${site}: nothing young is there to copy`;
  if (packs === copied && packs > 0) return `hot: full copy at ${site}, 100 %${why}`;
  const left = packs - copied;
  const percent = packs === 0 ? 0 : Math.floor((100 * copied) / packs);
  const what = `${left} ${left === 1 ? 'pack' : 'packs'} to copy (${formatSize(missingBytes)})`;
  return `hot at ${site}: ${percent} %, ${what}${why}`;
}

/** What lies in the cold store of this host; undefined where there is none. */
export function coldStatus({ upkeep }: Agent): ColdStoreReport | undefined {
  const { tiers, tierKeeper } = upkeep;
  if (tiers === undefined || tierKeeper === undefined) return undefined;
  const { delayMs, pricePerGiB } = tiers.terms;
  const { frozen, thawed, bytesMoved, waiting, isHurried, problem } = tierKeeper.state;
  return {
    ...{ name: tiers.name, ...tiers.coldUsage(), delayMs: Math.round(delayMs) },
    ...(pricePerGiB === undefined ? {} : { pricePerGiB }),
    ...{ waiting, isMoving: isHurried },
    ...{ movedOut: frozen, movedBack: thawed, movedBytes: bytesMoved },
    ...(problem === undefined ? {} : { problem }),
  };
}

/** What a person should do something about. */
export function tierWarnings(agent: Agent, copies: Iterable<readonly HotCopyReport[]>): string[] {
  const cold = coldStatus(agent);
  const hot = [...copies].flat().filter(({ problem }) => problem !== undefined);
  return [
    ...(cold?.problem === undefined
      ? []
      : [`shards are not moved between tiers: ${cold.problem}: holdfast target list`]),
    ...hot.map(
      ({ site, problem }) =>
        `the full copy at ${site} is not whole: ${problem}: holdfast target list`,
    ),
  ];
}
