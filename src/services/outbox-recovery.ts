import { assert } from '../base/assert.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { AgentKey } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { Log } from '../ports/runtime.ts';
import type { DurabilityView, Holder } from './durability-view.ts';
import type { Ledger } from './ledger.ts';
import type { Outbox, Parcel } from './outbox.ts';
import { storageMembers } from './residency.ts';
import type { Standing } from './standing.ts';

export type OutboxRecoveryOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly view: DurabilityView;
  readonly outbox: Outbox;
  /** Undefined: everybody stays. */
  readonly standing?: Standing;
  readonly log: Log;
};

/** Own snapshots looked through: what waits belongs to recent ones. */
const snapshotsMax = 64;

/**
 * Finds out anew for whom shards in the outbox wait, after who should have had them was put out of the cluster, or the
 * index that knew it was lost (or a crash fell between the delivery of a shard and the removal of its file): whoever
 * should hold a shard of the pack and has not signed that it does. What all hold is dropped, unless the pack cannot be
 * rebuilt without it; what belongs to no known snapshot stays as it is.
 * @returns false when it is to be asked again: a member that has not signed yet may hold the shards that are
 * nowhere else, and one more would give its site two.
 */
export async function readdress({
  ledger,
  self,
  view,
  outbox,
  standing,
  log,
}: OutboxRecoveryOptions): Promise<boolean> {
  const orphans = Map.groupBy(await outbox.unaddressed(), ({ pack }) => pack);
  if (orphans.size === 0) return true;
  const counts = { found: 0, dropped: 0, undecided: 0, unknown: 0 };
  const waiting = outbox.waiting();
  const own = ledger.manifests().filter(({ statement }) => statement.writer === self);
  for (const record of own.slice(-snapshotsMax).reverse()) {
    if (orphans.size === 0) break;
    const of = { writer: self, dataset: record.manifest.dataset };
    const members = storageMembers(ledger.roster, of, standing);
    const located = await view.holders(record);
    const signers = new Set((await view.holdings(record)).map(({ agent }) => agent));
    const isSilent = members.some(({ agentKey }) => !signers.has(agentKey));
    for (const [pack, parcels] of [...orphans]) {
      const place = located.get(pack);
      if (place === undefined) continue;
      orphans.delete(pack);
      const served = members.filter(({ agentKey }) => waiting.get(pack)?.has(agentKey));
      const sites = new Set([...place.holders, ...served].map(({ site }) => site));
      const others = members.filter(({ agentKey }) => agentKey !== self);
      const empty = others.filter(({ site }) => !sites.has(site));
      // It may have taken one of them just before this host stopped: that one, or another?
      const mayHaveOne = empty.some(({ agentKey }) => !signers.has(agentKey));
      const isOpen =
        (isSilent && isIncomplete(place, outbox)) || (mayHaveOne && parcels.length > 1);
      if (isOpen && place.entry.k > 1) {
        counts.undecided += parcels.length;
        continue;
      }
      const addressed = await address(outbox, parcels, {
        empty,
        // Nobody could make these anew: they are worth more at a host that has another one than nowhere.
        ...(isRecoverable(place) ? {} : { full: others.filter((one) => isHolder(place, one)) }),
        wanted: view.wantedSites(place.entry) - sites.size,
        isCopy: place.entry.k === 1,
      });
      counts.found += addressed;
      counts.dropped += parcels.length - addressed;
    }
  }
  counts.unknown = [...orphans.values()].flat().length;
  const isNews = counts.found + counts.dropped > 0;
  log.log(isNews ? 'warn' : 'info', backupMessages.outboxAddressesLost, counts);
  return counts.undecided === 0;
}

type Place = { readonly entry: PackEntry; readonly holders: readonly Holder[] };

/** Shards of a coded pack are neither here nor signed for: somebody has them who has not said so. */
function isIncomplete({ entry, holders }: Place, outbox: Outbox): boolean {
  const { k, m, pack } = entry;
  if (k === 1) return false;
  const signed = new Set(holders.map(({ index }) => index));
  return Array.from({ length: k + m }, (_, index) => index).some(
    (index) => !signed.has(index) && !outbox.has(pack, index),
  );
}

/** Without anything that lies in the outbox. */
function isRecoverable({ entry, holders }: Place): boolean {
  return new Set(holders.map(({ index }) => index)).size >= entry.k;
}

function isHolder({ holders }: Place, { agentKey }: Member): boolean {
  return holders.some(({ agent }) => agent === agentKey);
}

type Takers = {
  /** Members at sites without a shard of the pack. */
  readonly empty: readonly Member[];
  /** Others, where nothing may be dropped. */
  readonly full?: readonly Member[];
  readonly wanted: number;
  readonly isCopy: boolean;
};

/** @returns how many parcels have an addressee now, or have to stay until there is one; the others are dropped. */
async function address(
  outbox: Outbox,
  parcels: readonly Parcel[],
  { empty, full, wanted, isCopy }: Takers,
): Promise<number> {
  const receivers = oneOfEachSite(empty).slice(0, Math.max(0, wanted));
  let count = 0;
  for (const [i, parcel] of parcels.entries()) {
    const takers = isCopy ? receivers : receivers.slice(i, i + 1);
    const instead = full?.[i % full.length];
    if (takers.length === 0 && instead !== undefined) takers.push(instead);
    for (const { agentKey } of takers) await outbox.address(agentKey, parcel);
    if (takers.length > 0 || full !== undefined) count++;
    else await outbox.discard(parcel);
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
