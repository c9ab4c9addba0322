import { Rotation } from '../base/rotation.ts';
import { minuteMs, secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { shardHeadFrom } from '../core/format/shard.ts';
import type { AgentKey, PackId, PeerKey, StatementHash } from '../core/ids.ts';
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
/** Of the snapshots that lacked nothing when they were last looked at: more would keep a host busy that has thousands. */
const settledPerRound = 512;
/** A snapshot this fresh is still being delivered by its source. */
const graceMs = minuteMs;

/**
 * Full copies of metadata packs for a storage peer that joined late or was away: without keys, from any
 * other holder. Data shards are not copied: who holds which was decided when they were placed.
 */
export class CatchUp {
  readonly #options: CatchUpOptions;
  /** Came here and are not signed for yet with all snapshots that need them: after a failure, too. */
  readonly #fetched = new Set<PackId>();
  /** Lacked nothing. */
  readonly #settled = new Set<StatementHash>();
  readonly #settledTurns = new Rotation();

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
    const newestFirst = ledger.manifests().toReversed();
    const records = newestFirst.filter((record) => !isDiscarded(record));
    const before = this.#fetched.size;
    for (const record of this.#due(records)) {
      if (clock.nowMs() - record.statement.timeMs < graceMs) continue;
      const missing = await this.#missing(record);
      for (const { pack, peers } of missing ?? []) {
        if (await this.#fetch(pack, peers)) this.#fetched.add(pack);
      }
      const isUnsigned = await this.#isUnsigned(record);
      if (isUnsigned) await storage.sign(record);
      if (missing?.length === 0 && !isUnsigned) this.#settled.add(record.hash);
      else this.#settled.delete(record.hash);
    }
    const count = this.#fetched.size - before;
    if (this.#fetched.size > 0) await this.#signForFetched(records);
    return count;
  }

  #due(records: readonly ManifestRecord[]): ManifestRecord[] {
    const settled = records.filter(({ hash }) => this.#settled.has(hash));
    const turn = new Set(this.#settledTurns.take(settled, settledPerRound));
    return records.filter((record) => !this.#settled.has(record.hash) || turn.has(record));
  }

  async #isUnsigned(record: ManifestRecord): Promise<boolean> {
    const { ledger, view, store, self } = this.#options;
    if (ledger.receipts(record.hash).some(({ agent }) => agent === self)) return false;
    const packs = (await view.packs(record)) ?? [];
    return packs.some(({ pack }) => store.indexes(pack).length > 0);
  }

  /** Fresh snapshots are signed for again, too: what they need may have come for an older one. */
  async #signForFetched(records: readonly ManifestRecord[]): Promise<void> {
    const { view, storage } = this.#options;
    for (const record of records) {
      const packs = (await view.packs(record)) ?? [];
      if (packs.some(({ pack }) => this.#fetched.has(pack))) await storage.sign(record);
    }
    this.#fetched.clear();
  }

  /**
   * Metadata packs of a snapshot that are not here, that fewer than the wanted copies exist of, and who can give them.
   * Undefined: its list of packs has not arrived.
   */
  async #missing(
    record: ManifestRecord,
  ): Promise<{ pack: PackId; peers: PeerKey[] }[] | undefined> {
    const { view, store, peers, self, standing = everybodyStays } = this.#options;
    const { roster } = this.#options.ledger;
    const member = roster.member(self);
    const of = { writer: record.statement.writer, dataset: record.manifest.dataset };
    if (member === undefined || residencyObjection(roster, of, member) !== undefined) return [];
    // Who leaves takes nothing more.
    if (standing.isLeaving(member)) return [];
    const packs = await view.packs(record);
    if (packs === undefined) return undefined;
    const lacking = packs.filter(
      (entry) => entry.type === 'metadata' && store.indexes(entry.pack).length === 0,
    );
    if (lacking.length === 0) return [];
    const located = await view.holders(record);
    return lacking.flatMap(({ pack }) => {
      const holders = (located.get(pack)?.holders ?? []).filter(({ agent }) => agent !== self);
      const reachable = holders.filter(({ peer }) => peers.isReachable(peer));
      if (holders.length >= limits.metadataCopiesMax) return [];
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
