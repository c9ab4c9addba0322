import { HoldfastError } from '../core/errors.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { BackupOptions } from './backup.ts';
import type { OwnDataset } from './datasets.ts';
import type { ManifestRecord } from './ledger.ts';

/** Packs that a source remembers, and that its next snapshot must not build on. */
export class StalePacks {
  readonly #options: BackupOptions;
  readonly #own: OwnDataset;

  constructor(options: BackupOptions, own: OwnDataset) {
    this.#options = options;
    this.#own = own;
  }

  /** Packs that only discarded snapshots name are about to be deleted. @returns how many there were */
  async forgetExpired(): Promise<number> {
    const { index, dataset } = this.#own;
    const known = new Set([...index.packs()].map(({ entry }) => entry.pack));
    const found = await this.#options.packUse.unneeded(dataset.id, (pack) => known.has(pack));
    if ('unknown' in found || found.packs.size === 0) return 0;
    await index.forgetPacks([...found.packs.keys()]);
    return found.packs.size;
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
  async forgetLost(newest: ManifestRecord | undefined): Promise<void> {
    if (newest === undefined) return;
    const { view, peers, self, ledger, distributor, log } = this.#options;
    const { index, isKeyGone } = this.#own;
    const own = ledger.roster.member(self);
    const reachable = [...peers.reachable(), ...(own === undefined ? [] : [own])];
    const lost = await view.lostPacks(newest);
    const weak = await view.weakPacks(newest, reachable);
    const packs = [...new Set([...lost, ...weak])].filter((pack) => !distributor.isWaiting(pack));
    // What is still on its way there is no use either.
    const stale = index.stalePacks(isKeyGone);
    if (stale.length > 0) await index.forgetPacks(stale);
    if (packs.length === 0) return;
    log.log('warn', backupMessages.contentStoredAnew, {
      lost: lost.length,
      packs: packs.length,
    });
    await index.forgetPacks(packs);
  }
}
