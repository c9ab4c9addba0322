import { HoldfastError } from '../core/errors.ts';
import type { Agent } from './agent.ts';
import type { ColdStoreReport, StoreApi, StoresReport } from './store-types.ts';

export function storeApi(agent: Agent): StoreApi {
  return { stores: async ({ isNow }) => storesReport(agent, isNow) };
}

function storesReport(agent: Agent, isNow: boolean): StoresReport {
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
  const warmShards = shards - (cold?.shards ?? 0);
  const warm = { shards: warmShards, bytes, freeBytes };
  return { warm, ...(cold === undefined ? {} : { cold }) };
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
export function coldWarnings(agent: Agent): string[] {
  const cold = coldStatus(agent);
  if (cold?.problem === undefined) return [];
  return [`shards are not moved between tiers: ${cold.problem}: holdfast target list`];
}
