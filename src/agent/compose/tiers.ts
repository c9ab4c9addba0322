import { secondMs } from '../../base/units.ts';
import { durationOf } from '../../core/policy/policy-quantity.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { KeyValue } from '../../ports/key-value.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import { ObjectShards } from '../../services/tiers/object-shards.ts';
import { TieredShards } from '../../services/tiers/tiered-shards.ts';
import type { Config } from '../config.ts';
import { openObjectStore } from './object-store.ts';

export type TierSetup = {
  /** On this host's own disk. */
  readonly warm: ShardStore;
  readonly cold: Config['cold'];
  readonly owner: AgentKey;
  readonly index: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * What this host holds, on its disk and in its cold store. Undefined where none is configured.
 * @throws HoldfastError config-invalid (the store is another host's)
 */
export async function openTiers(
  { warm, cold, owner, index, clock, log }: TierSetup,
  stack: AsyncDisposableStack,
): Promise<TieredShards | undefined> {
  if (cold.store === undefined) return undefined;
  const objects = stack.use(await openObjectStore(cold.store, cold));
  const shards = stack.use(
    await ObjectShards.open({ objects, index, keyPrefix: 'cold/', owner, clock, log }),
  );
  const terms = {
    ...(cold.delay === undefined ? {} : { delayMs: durationOf(cold.delay) ?? secondMs }),
    ...(cold.pricePerGiB === undefined ? {} : { pricePerGiB: cold.pricePerGiB }),
  };
  return new TieredShards({ warm, cold: shards, terms, clock });
}
