import { HoldfastError } from '../core/errors.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { AgentKey, PackId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { BackupOptions } from './backup.ts';
import type { OwnDataset } from './datasets.ts';
import type { ManifestRecord } from './ledger.ts';
import { storageMembers } from './residency.ts';
import { everybodyStays } from './standing.ts';

/** Packs that a source remembers, and that its next snapshot must not build on. */
export class StalePacks {
  readonly #options: BackupOptions;
  readonly #own: OwnDataset;

  constructor(options: BackupOptions, own: OwnDataset) {
    this.#options = options;
    this.#own = own;
  }

  /** What a snapshot must not build on that is made now; `newest`: the one before it. */
  async forget(newest: ManifestRecord | undefined): Promise<void> {
    await this.#forgetLost(newest);
    await this.forgetExpired();
    await this.#forgetAbandoned(newest);
  }

  /** Packs that only discarded snapshots name are about to be deleted. @returns how many there were */
  async forgetExpired(): Promise<number> {
    const { index, dataset } = this.#own;
    const isKnown = (pack: PackId): boolean => index.ordinalOf(pack) !== undefined;
    const found = await this.#options.packUse.unneeded(dataset.id, isKnown);
    if ('unknown' in found || found.packs.size === 0) return 0;
    await index.forgetPacks([...found.packs.keys()]);
    return found.packs.size;
  }

  /**
   * Packs of backups that were cut off are in no snapshot: nobody makes anew what those had of them who have left, or
   * are about to. A snapshot built on them would outlive less than it should.
   */
  async #forgetAbandoned(newest: ManifestRecord | undefined): Promise<void> {
    const { view, log, self } = this.#options;
    const { index, dataset } = this.#own;
    // It may have been signed for, and this host stopped before it had noted that.
    if (newest !== undefined) await this.noteSigned(newest);
    const { survives } = view.code({ writer: self, dataset: dataset.id });
    const stale = new Map<number, PackId>();
    for (const [ordinal, agents] of index.unsigned.all()) {
      const entry = index.pack(ordinal)?.entry;
      if (entry !== undefined && this.#toleranceOf(entry, agents) < survives) {
        stale.set(ordinal, entry.pack);
      }
    }
    if (stale.size === 0) return;
    log.log('warn', backupMessages.unsignedPacksStoredAnew, { packs: stale.size });
    await index.forgetPacks([...stale.values()]);
    await index.unsigned.forget(stale.keys());
  }

  /** From now on others see to it that nothing of what the snapshot names is lost. */
  async noteSigned(record: ManifestRecord): Promise<void> {
    const { unsigned } = this.#own.index;
    if (unsigned.all().size === 0) return;
    const named = new Set((await this.#options.view.packs(record))?.map(({ pack }) => pack));
    const isOver = (ordinal: number): boolean => {
      const entry = this.#own.index.pack(ordinal)?.entry;
      return entry === undefined || named.has(entry.pack);
    };
    await unsigned.forget([...unsigned.all().keys()].filter(isOver));
  }

  /** Of a pack, by those who have been given a part of it and stay; without a bound when all of them do. */
  #toleranceOf({ k }: PackEntry, agents: readonly AgentKey[]): number {
    const { ledger, standing = everybodyStays } = this.#options;
    const staying = new Map(
      storageMembers(ledger.roster, undefined, standing).map((one) => [one.agentKey, one.site]),
    );
    if (agents.every((agent) => staying.has(agent))) return Number.POSITIVE_INFINITY;
    const sites = new Set(agents.flatMap((agent) => staying.get(agent) ?? []));
    return sites.size - k;
  }

  /** Some may have expired since this backup began. @throws HoldfastError pack-expired */
  async refuseExpired(): Promise<void> {
    const count = await this.forgetExpired();
    if (count === 0) return;
    throw new HoldfastError('pack-expired', `${count} packs expired while the backup ran`, {
      next: 'run the backup again',
    });
  }

  /** What earlier snapshots have lost, or hold at too few sites, must not pass for stored: this one would inherit it. */
  async #forgetLost(newest: ManifestRecord | undefined): Promise<void> {
    if (newest === undefined) return;
    const { view, peers, self, ledger, distributor, log } = this.#options;
    const { index, isKeyGone } = this.#own;
    const own = ledger.roster.member(self);
    const reachable = [...peers.reachable(), ...(own === undefined ? [] : [own])];
    const lost = await view.lostPacks(newest);
    const weak = await view.weakPacks(newest, reachable);
    const packs = [...new Set([...lost, ...weak])].filter((pack) => !distributor.isWaiting(pack));
    // What is still on its way there is no use either.
    const stale = index.stalePacks(askedOnce(isKeyGone));
    if (stale.length > 0) await index.forgetPacks(stale);
    if (packs.length === 0) return;
    log.log('warn', backupMessages.contentStoredAnew, {
      lost: lost.length,
      packs: packs.length,
    });
    await index.forgetPacks(packs);
  }
}

/** There are many packs, and few key epochs. */
function askedOnce<Key, Answer>(ask: (key: Key) => Answer): (key: Key) => Answer {
  const known = new Map<Key, Answer>();
  return (key) => {
    const answer = known.has(key) ? (known.get(key) as Answer) : ask(key);
    known.set(key, answer);
    return answer;
  };
}
