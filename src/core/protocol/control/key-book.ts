import type {
  BodyOf,
  KeyRecipient,
  KeysChange,
  KitKeys,
  RecipientSet,
} from '../../format/control-records.ts';
import { type EpochName, epochKey } from '../../format/key-record.ts';
import type { Genesis } from '../../format/records.ts';
import type { AgentKey, DatasetId, FactHash } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { controlBounds } from './control-bounds.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { requireNext } from './versioned.ts';

/** The recovery kit in force, as members know it. */
export type Kit = KitKeys & {
  /** From 1, that of the genesis. */
  readonly version: number;
  readonly index: number;
  readonly timeMs: number;
};

/** What operators have decided about one epoch. Without a decision the source's word counts. */
export type DecidedEpoch = EpochName & {
  readonly index: number;
  readonly timeMs: number;
  readonly authors: readonly AgentKey[];
} & (
    | { readonly state: 'wrapped'; readonly record: FactHash; readonly kitVersion: number }
    | { readonly state: 'destroyed'; readonly reason: string }
  );

/** What a book of keys is made of, for its image. */
export type KeyParts = {
  version: number;
  kit: Kit;
  /** By owner, the set of all datasets under "". */
  readonly sets: Map<string, RecipientSet>;
  readonly epochs: Map<string, DecidedEpoch>;
};

/** Signers that count, where a command of operators stands. */
type Decision = CommandPlace & { readonly authors: readonly AgentKey[] };

/**
 * Who can open what. Sources say with which record an epoch begins; from then on only operators put another
 * in its place, so that no source swaps recipients, and no record comes back that they have replaced.
 */
export class KeyBook {
  readonly parts: KeyParts;

  constructor(genesis: Genesis) {
    this.parts = firstKeys(genesis);
  }

  /** Of the keys as a whole: a change names the version that it was made for. */
  get version(): number {
    return this.parts.version;
  }

  get kit(): Kit {
    return this.parts.kit;
  }

  /** Recipients beside the kit that a dataset's epochs are wrapped for; without one, those of every dataset. */
  recipientsOf(of?: {
    readonly writer: AgentKey;
    readonly dataset: DatasetId;
  }): readonly KeyRecipient[] {
    const all = this.setOf(undefined);
    if (of === undefined) return all;
    const known = new Set(all.map(({ recipient }) => recipient));
    return [...all, ...this.setOf(of).filter(({ recipient }) => !known.has(recipient))];
  }

  /** One set alone. */
  setOf(of: RecipientSet['of']): readonly KeyRecipient[] {
    return this.parts.sets.get(ownerKey(of))?.recipients ?? [];
  }

  decided(name: EpochName): DecidedEpoch | undefined {
    return this.parts.epochs.get(epochKey(name));
  }

  isDestroyed(name: EpochName): boolean {
    return this.decided(name)?.state === 'destroyed';
  }

  /** @throws HoldfastError not-permitted */
  checkKeys(change: KeysChange, place: Decision): Change {
    requireNext(change, this.version);
    const names = new Set(change.records.map(epochKey));
    if (names.size !== change.records.length) throw refusal('it names one epoch twice');
    for (const record of change.records) this.#checkRecord(record);
    const added = change.records.filter((one) => this.decided(one) === undefined);
    this.#requireRoom(added.length);
    const { sets } = this.parts;
    const owners = change.sets.filter(({ of }) => !sets.has(ownerKey(of)));
    if (sets.size + owners.length > controlBounds.recipientSetsMax) {
      throw refusal('too many datasets have recipients of their own');
    }
    return () => this.#takeKeys(change, place);
  }

  #checkRecord({ base, ...name }: KeysChange['records'][number]): void {
    const decided = this.decided(name);
    const what = `epoch ${name.epoch} of dataset ${name.dataset.slice(0, 8)}`;
    if (decided === undefined) return;
    if (decided.state === 'destroyed') throw refusal(`${what} was destroyed`);
    if (decided.record !== base) throw refusal(`${what} has another key record by now`);
  }

  #takeKeys({ version, kit, sets, records }: KeysChange, place: Decision): void {
    const { index, timeMs, authors } = place;
    this.parts.version = version;
    if (kit !== undefined) {
      this.parts.kit = { ...kit, version: this.kit.version + 1, index, timeMs };
    }
    for (const set of sets) this.parts.sets.set(ownerKey(set.of), set);
    const kitVersion = this.kit.version;
    for (const { writer, dataset, epoch, record } of records) {
      const name = { writer, dataset, epoch };
      const at = { index, timeMs, authors, kitVersion, record };
      this.parts.epochs.set(epochKey(name), { ...name, ...at, state: 'wrapped' });
    }
  }

  /** @throws HoldfastError not-permitted */
  checkDestroy(body: BodyOf<'key-destroy'>, place: Decision): Change {
    const { writer, dataset, epoch, reason } = body;
    const name = { writer, dataset, epoch };
    const decided = this.decided(name);
    if (decided?.state === 'destroyed') throw refusal('the epoch was destroyed already');
    if (decided === undefined) this.#requireRoom(1);
    const { index, timeMs, authors } = place;
    return () => {
      const at = { index, timeMs, authors, reason };
      this.parts.epochs.set(epochKey(name), { ...name, ...at, state: 'destroyed' });
    };
  }

  #requireRoom(count: number): void {
    if (this.parts.epochs.size + count <= controlBounds.keyEpochsMax) return;
    throw refusal('too many key epochs have been decided on');
  }
}

/** Of a set in maps. */
export function ownerKey(of: RecipientSet['of']): string {
  return of === undefined ? '' : `${of.writer}/${of.dataset}`;
}

/** What holds until operators decide otherwise. */
export function firstKeys(genesis: Genesis): KeyParts {
  const { recoveryRecipient, recoveryKey, operators } = genesis;
  const recipients = operators
    .filter(({ recipient }) => recipient !== '')
    .slice(0, limits.keyRecipientsMax)
    .map(({ name, recipient }) => ({ name, recipient }));
  const set = { of: undefined, recipients };
  return {
    version: 1,
    kit: { version: 1, recipient: recoveryRecipient, recoveryKey, index: 0, timeMs: 0 },
    sets: new Map(recipients.length === 0 ? [] : [['', set]]),
    epochs: new Map(),
  };
}
