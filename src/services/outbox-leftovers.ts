import { hourMs } from '../base/units.ts';
import type { AgentKey, DatasetId, PackId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import { bitCount } from '../core/policy/durability.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import { repeat } from './control/duty.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { Outbox, Parcel } from './outbox.ts';
import type { PackUse } from './pack-use.ts';
import type { Survey, SurveyedPack } from './repair/pack-survey.ts';

export type OutboxLeftoversOptions = {
  readonly ledger: Pick<Ledger, 'roster'>;
  readonly outbox: Outbox;
  readonly survey: () => Promise<Survey>;
  readonly packUse: Pick<PackUse, 'named' | 'unneeded'>;
  /** Its trash has been emptied: it does not come back. */
  readonly isGone: (record: ManifestRecord) => boolean;
  /** Of a dataset that this host writes; undefined: it writes none of this id. */
  readonly indexOf: (dataset: DatasetId) => Promise<Pick<DatasetIndex, 'packs'> | undefined>;
  /** A backup runs: what it puts into the outbox is in no snapshot yet. */
  readonly isBackingUp: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = hourMs;

/**
 * Removes from the outbox what nobody will want: shards of snapshots that are gone, those of backups that were cut off
 * and that the next one does not build on, and those that wait for nobody while others can make them.
 */
export class OutboxLeftovers {
  readonly #options: OutboxLeftoversOptions;

  constructor(options: OutboxLeftoversOptions) {
    this.#options = options;
  }

  /** Until the signal. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: backupMessages.leftoversNotLookedFor } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.round(), options);
  }

  async round(): Promise<void> {
    const { outbox, isBackingUp, survey, log } = this.#options;
    const parcels = await outbox.all();
    if (parcels.length === 0 || isBackingUp()) return;
    const { packs, missingLists } = await survey();
    const addressees = outbox.waiting();
    const unaddressed = outbox.isAddressed ? await outbox.unaddressed() : [];
    let count = 0;
    for (const parcel of unaddressed) {
      const surveyed = packs.get(parcel.pack);
      if (surveyed === undefined || !this.#isRecoverable(surveyed)) continue;
      await outbox.discard(parcel);
      count++;
    }
    // What a list names that has not arrived may be needed.
    const unneeded = missingLists > 0 ? [] : parcels.filter(({ pack }) => !packs.has(pack));
    const gone = await this.#gone(unneeded);
    for (const parcel of unneeded) {
      if (!gone.has(parcel.pack) || isBackingUp()) continue;
      await this.#drop(parcel, addressees.get(parcel.pack) ?? []);
      count++;
    }
    if (count > 0) log.log('info', backupMessages.leftoversRemoved, { shards: count });
  }

  async #drop(parcel: Parcel, addressees: Iterable<AgentKey>): Promise<void> {
    const { outbox } = this.#options;
    for (const agent of addressees) {
      if (outbox.isFor(agent, parcel)) await outbox.drop(agent, parcel);
    }
    if (outbox.has(parcel.pack, parcel.index)) await outbox.discard(parcel);
  }

  /** By the word of members, without what lies here: repair makes the rest. */
  #isRecoverable({ entry, words }: SurveyedPack): boolean {
    const { roster } = this.#options.ledger;
    let union = 0;
    for (const [agent, { mask = 0 }] of words) {
      if (roster.member(agent) !== undefined) union = (union | mask) >>> 0;
    }
    return bitCount(union & ((2 ** (entry.k + entry.m) - 1) >>> 0)) >= entry.k;
  }

  /** Of packs that no snapshot needs which is kept: those that none will, as far as that can be told. */
  async #gone(parcels: readonly Parcel[]): Promise<ReadonlySet<PackId>> {
    const { packUse, outbox } = this.#options;
    const candidates = new Set(parcels.map(({ pack }) => pack));
    if (candidates.size === 0) return candidates;
    const found = await packUse.named(candidates);
    if ('unknown' in found) return new Set();
    const gone = new Set<PackId>();
    const byDataset = new Map<DatasetId, Set<PackId>>();
    for (const parcel of parcels) {
      const { dataset } = await outbox.head(parcel);
      byDataset.set(dataset, (byDataset.get(dataset) ?? new Set()).add(parcel.pack));
    }
    for (const [dataset, packs] of byDataset) {
      for (const pack of await this.#goneOf(dataset, packs, found.packs)) gone.add(pack);
    }
    return gone;
  }

  async #goneOf(
    dataset: DatasetId,
    packs: ReadonlySet<PackId>,
    named: ReadonlySet<PackId>,
  ): Promise<PackId[]> {
    const { packUse, indexOf, isGone } = this.#options;
    const index = await indexOf(dataset);
    if (index === undefined) return [];
    const known = new Set([...index.packs()].map(({ entry }) => entry.pack));
    const expired = await packUse.unneeded(dataset, (pack) => packs.has(pack));
    return [...packs].filter((pack) => {
      if (!named.has(pack)) return !known.has(pack);
      const users = 'unknown' in expired ? undefined : expired.packs.get(pack)?.users;
      return users?.every((user) => isGone(user)) === true;
    });
  }
}
