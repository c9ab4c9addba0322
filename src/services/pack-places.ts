import type { PackId } from '../core/ids.ts';
import type { ColdEstimate } from '../core/policy/cold-estimate.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { ManifestRecord } from './ledger.ts';
import type { PackLocation, PackSource } from './pack-reader.ts';
import type { Peers } from './peers.ts';
import { ColdView } from './tiers/cold-view.ts';

/** Where the packs of one snapshot lie, as receipts say, and once somebody has looked, which shards are cold. */
export class PackPlaces implements PackSource {
  readonly #peers: Pick<Peers, 'ask' | 'reachable'>;
  readonly #record: Pick<ManifestRecord, 'hash'>;
  readonly #located: ReadonlyMap<PackId, PackLocation>;
  #cold: ColdView | undefined;

  constructor(
    peers: Pick<Peers, 'ask' | 'reachable'>,
    record: Pick<ManifestRecord, 'hash'>,
    located: ReadonlyMap<PackId, PackLocation>,
  ) {
    this.#peers = peers;
    this.#record = record;
    this.#located = located;
  }

  locate(pack: PackId): PackLocation | undefined {
    const location = this.#located.get(pack);
    const cold = this.#cold;
    if (location === undefined || cold === undefined) return location;
    const holders = location.holders.map((holder) =>
      cold.isCold(pack, holder) ? { ...holder, isCold: true } : holder,
    );
    return { ...location, holders };
  }

  /**
   * Asks the members what of this is cold: from then on warm shards are read first. @returns what a restore of everything
   * must read from cold stores; undefined: nothing
   */
  async look(options: Cancel = {}): Promise<ColdEstimate | undefined> {
    this.#cold = await ColdView.ask(this.#peers, this.#record, options);
    const there = new Set(this.#peers.reachable().map(({ peerKey }) => peerKey));
    return this.#cold.estimate(this.#located, (peer) => there.has(peer));
  }
}
