import { assert } from '../base/assert.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { AgentKey } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { Log } from '../ports/runtime.ts';
import type { DurabilityView, Holder } from './durability-view.ts';
import type { Ledger } from './ledger.ts';
import type { Outbox, Parcel } from './outbox.ts';

export type OutboxRecoveryOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly view: DurabilityView;
  readonly outbox: Outbox;
  readonly log: Log;
};

/** Own snapshots looked through: what waits belongs to recent ones. */
const snapshotsMax = 64;

/**
 * Finds out anew for whom shards in the outbox wait, after the index that knew it was lost (or a crash fell
 * between the delivery of a shard and the removal of its file): whoever should hold a shard of the pack and
 * has not signed that it does. What all hold is dropped; what belongs to no known snapshot stays as it is.
 * @returns false when it is to be asked again: a member that has not signed yet may hold the shards that are
 * nowhere else, and one more would give its site two.
 */
export async function readdress({
  ledger,
  self,
  view,
  outbox,
  log,
}: OutboxRecoveryOptions): Promise<boolean> {
  const orphans = Map.groupBy(await outbox.unaddressed(), ({ pack }) => pack);
  if (orphans.size === 0) return true;
  const counts = { found: 0, dropped: 0, undecided: 0, unknown: 0 };
  const members = ledger.roster.members().filter((member) => member.hasRole('storage'));
  const own = ledger.manifests().filter(({ statement }) => statement.writer === self);
  for (const record of own.slice(-snapshotsMax).reverse()) {
    if (orphans.size === 0) break;
    const located = await view.holders(record);
    const signers = new Set((await view.holdings(record)).map(({ agent }) => agent));
    const isSilent = members.some(({ agentKey }) => !signers.has(agentKey));
    for (const [pack, parcels] of [...orphans]) {
      const place = located.get(pack);
      if (place === undefined) continue;
      orphans.delete(pack);
      if (isSilent && isIncomplete(place, parcels)) {
        counts.undecided += parcels.length;
        continue;
      }
      const sites = new Set(place.holders.map(({ site }) => site));
      const others = members.filter(({ agentKey, site }) => agentKey !== self && !sites.has(site));
      const wanted = view.wantedSites(place.entry) - sites.size;
      const addressed = await address(outbox, parcels, others, {
        wanted,
        isCopy: place.entry.k === 1,
      });
      counts.found += addressed;
      counts.dropped += addressed === 0 ? parcels.length : 0;
    }
  }
  counts.unknown = [...orphans.values()].flat().length;
  const isNews = counts.found + counts.dropped > 0;
  log.log(isNews ? 'warn' : 'info', backupMessages.outboxAddressesLost, counts);
  return counts.undecided === 0;
}

/** Shards of a coded pack are neither here nor signed for: somebody has them who has not said so. */
function isIncomplete(
  { entry, holders }: { readonly entry: PackEntry; readonly holders: readonly Holder[] },
  parcels: readonly Parcel[],
): boolean {
  if (entry.k === 1) return false;
  const known = new Set([...holders, ...parcels].map(({ index }) => index));
  return known.size < entry.k + entry.m;
}

/** @returns how many parcels have an addressee now; the others are dropped. */
async function address(
  outbox: Outbox,
  parcels: readonly Parcel[],
  others: readonly Member[],
  { wanted, isCopy }: { wanted: number; isCopy: boolean },
): Promise<number> {
  const receivers = oneOfEachSite(others).slice(0, Math.max(0, wanted));
  let count = 0;
  for (const [i, parcel] of parcels.entries()) {
    const takers = isCopy ? receivers : receivers.slice(i, i + 1);
    for (const { agentKey } of takers) await outbox.address(agentKey, parcel);
    if (takers.length === 0) await outbox.discard(parcel);
    else count++;
  }
  return count;
}

function oneOfEachSite(members: readonly Member[]): Member[] {
  const bySite = Map.groupBy(members, ({ site }) => site);
  return [...bySite.values()].map(([first]) => {
    assert(first !== undefined, 'a group has a member');
    return first;
  });
}
