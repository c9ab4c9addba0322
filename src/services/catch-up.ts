import { minuteMs, secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { shardHeadFrom } from '../core/format/shard.ts';
import type { AgentKey, PackId, PeerKey } from '../core/ids.ts';
import { idBytes } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { DurabilityView } from './durability-view.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { Peers } from './peers.ts';
import { residencyObjection } from './residency.ts';
import { everybodyStays, type Standing } from './standing.ts';
import type { StoragePeer } from './storage-peer.ts';

export type CatchUpOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly network: Network;
  readonly peers: Peers;
  readonly view: DurabilityView;
  readonly store: ShardStore;
  readonly storage: StoragePeer;
  /** In the trash, or gone: nobody copies what is on its way out. */
  readonly isDiscarded: (record: ManifestRecord) => boolean;
  readonly standing?: Standing;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 20 * secondMs;
/** A snapshot this fresh is still being delivered by its source. */
const graceMs = minuteMs;

/**
 * Full copies of metadata packs for a storage peer that joined late or was away: without keys, from any
 * other holder. Data shards are not copied: who holds which was decided when they were placed.
 */
export class CatchUp {
  readonly #options: CatchUpOptions;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  async run({ signal }: Cancel): Promise<void> {
    const { clock, log } = this.#options;
    for (;;) {
      await clock.sleep(periodMs, signal === undefined ? {} : { signal }).catch(() => {});
      if (signal?.aborted) return;
      try {
        await this.round();
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        log.log('info', backupMessages.metadataCopiesPostponed, {
          reason: (error as Error).message,
        });
      }
    }
  }

  /** @returns how many packs were fetched. */
  async round(): Promise<number> {
    const { ledger, clock, storage, isDiscarded } = this.#options;
    const fetched = new Set<PackId>();
    for (const record of ledger.manifests().reverse()) {
      if (clock.nowMs() - record.statement.timeMs < graceMs || isDiscarded(record)) continue;
      for (const { pack, peers } of await this.#missing(record)) {
        if (await this.#fetch(pack, peers)) fetched.add(pack);
      }
      if (await this.#isToBeSigned(record, fetched)) await storage.sign(record);
    }
    return fetched.size;
  }

  /** It has a pack that came just now, for itself or for a newer snapshot; or came before a failure to sign. */
  async #isToBeSigned(record: ManifestRecord, fetched: ReadonlySet<PackId>): Promise<boolean> {
    const { ledger, view, store, self } = this.#options;
    const packs = (await view.packs(record)) ?? [];
    if (packs.some(({ pack }) => fetched.has(pack))) return true;
    const isSigned = ledger.receipts(record.hash).some(({ agent }) => agent === self);
    return !isSigned && packs.some(({ pack }) => store.indexes(pack).length > 0);
  }

  /** Metadata packs of a snapshot that are not here, that fewer than the wanted copies exist of. */
  async #missing(record: ManifestRecord): Promise<{ pack: PackId; peers: PeerKey[] }[]> {
    const { view, store, peers, self, standing = everybodyStays } = this.#options;
    const { roster } = this.#options.ledger;
    const member = roster.member(self);
    const of = { writer: record.statement.writer, dataset: record.manifest.dataset };
    if (member === undefined || residencyObjection(roster, of, member) !== undefined) return [];
    // Who leaves takes nothing more.
    if (standing.isLeaving(member)) return [];
    const packs = (await view.packs(record)) ?? [];
    const lacking = packs.filter(
      (entry) => entry.type === 'metadata' && store.indexes(entry.pack).length === 0,
    );
    if (lacking.length === 0) return [];
    const located = await view.holders(record);
    return lacking.flatMap(({ pack }) => {
      const holders = (located.get(pack)?.holders ?? []).filter(({ agent }) => agent !== self);
      const reachable = holders.filter(({ peer }) => peers.isReachable(peer));
      if (holders.length >= limits.metadataCopiesMax || reachable.length === 0) return [];
      return [{ pack, peers: reachable.map(({ peer }) => peer) }];
    });
  }

  async #fetch(pack: PackId, holders: readonly PeerKey[]): Promise<boolean> {
    for (const peer of holders) {
      try {
        const answer = await this.#options.peers.ask(peer, {
          case: 'head',
          value: { pack: idBytes(pack) },
        });
        if (answer.head === undefined) continue;
        const head = shardHeadFrom(answer.head);
        if (head.pack !== pack || head.k !== 1) continue;
        await this.#options.storage.copy(peer, head);
        return true;
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        this.#options.log.log('info', backupMessages.metadataCopyFailed, {
          peer,
          pack,
          reason: error.message,
        });
      }
    }
    return false;
  }
}
