import { concat } from '../../base/bytes.ts';
import { Turns } from '../../base/turns.ts';
import { codeOf } from '../../core/errors.ts';
import { idBytes, idOf, type PackId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import { maskOf } from '../../core/policy/durability.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Log } from '../../ports/runtime.ts';

const prefix = 'extra-';
/** Id and mask. */
const entrySize = 33;
/** Of one record, which holds the packs whose ids begin alike: so that it fits. */
const perRecordMax = 1900;

/**
 * Which of the shards here are here only as part of a full copy, and may go again. Everything else is this host's to
 * keep: it was given, or made by a repair. Written down before such a shard is made, so that none is ever taken for
 * one that was promised, nor one that was promised for such a shard. What is damaged is forgotten: then shards stay.
 *
 * made for the copy -> marked -> held -> leaving (no longer signed for) -> removed
 *                            \-> kept, as soon as placement or repair wants it here
 */
export class ExtraShards {
  readonly #records: RecordStore;
  readonly #masks: Map<PackId, number>;
  /** By the name of the record that they are written into. */
  readonly #inRecord = new Map<string, Set<PackId>>();
  /** About to be removed: not signed for any more. Forgotten with the process: then they are signed for again. */
  readonly #leaving = new Map<PackId, number>();
  readonly #turns = new Turns();

  /** `masks`: what `readExtras` has read. */
  constructor(records: RecordStore, masks: ReadonlyMap<PackId, number>) {
    this.#records = records;
    this.#masks = new Map(masks);
    for (const pack of masks.keys()) this.#packsIn(nameOf(pack)).add(pack);
  }

  get size(): number {
    return this.#masks.size;
  }

  packs(): readonly PackId[] {
    return [...this.#masks.keys()];
  }

  /** Bit i: shard i is extra, if it is held. */
  maskOf(pack: PackId): number {
    return this.#masks.get(pack) ?? 0;
  }

  isExtra(pack: PackId, index: number): boolean {
    return ((this.maskOf(pack) >>> index) & 1) === 1;
  }

  leavingMaskOf(pack: PackId): number {
    return this.#leaving.get(pack) ?? 0;
  }

  get isSomeLeaving(): boolean {
    return this.#leaving.size > 0;
  }

  /**
   * Before they are made. Those that are held already are somebody's, and stay so.
   * @returns false: there is no room to remember it. @throws HoldfastError disk-full | io-error
   */
  async mark(
    pack: PackId,
    indexes: readonly number[],
    isHeld: (index: number) => boolean,
  ): Promise<boolean> {
    using _turn = await this.#turn(pack);
    const packs = this.#packsIn(nameOf(pack));
    if (!packs.has(pack) && packs.size >= perRecordMax) return false;
    const added = maskOf(indexes.filter((index) => !isHeld(index)));
    await this.#set(pack, this.maskOf(pack) | added);
    return true;
  }

  /** They are this host's to keep from now on. None of them is removed while or after this runs. */
  async keep(pack: PackId, indexes: readonly number[]): Promise<void> {
    const wanted = maskOf(indexes);
    if ((this.maskOf(pack) & wanted) === 0) return;
    using _turn = await this.#turn(pack);
    this.#setLeaving(pack, this.leavingMaskOf(pack) & ~wanted);
    await this.#set(pack, this.maskOf(pack) & ~wanted);
  }

  /** From now on they are not signed for. */
  beginToLeave(pack: PackId, indexes: readonly number[]): void {
    this.#setLeaving(pack, maskOf(indexes) & this.maskOf(pack));
  }

  /** They are wanted after all, and are signed for again. */
  stay(pack: PackId): void {
    this.#leaving.delete(pack);
  }

  /** Removes what of these is still leaving. @returns how many */
  async remove(
    pack: PackId,
    indexes: readonly number[],
    removeOne: (index: number) => Promise<void>,
  ): Promise<number> {
    using _turn = await this.#turn(pack);
    const leaving = this.leavingMaskOf(pack) & this.maskOf(pack);
    const going = indexes.filter((index) => ((leaving >>> index) & 1) === 1);
    for (const index of going) await removeOne(index);
    this.#setLeaving(pack, this.leavingMaskOf(pack) & ~maskOf(going));
    await this.#set(pack, this.maskOf(pack) & ~maskOf(going));
    return going.length;
  }

  /** What is not here any more. */
  async forget(pack: PackId): Promise<void> {
    using _turn = await this.#turn(pack);
    this.#leaving.delete(pack);
    await this.#set(pack, 0);
  }

  async #turn(pack: PackId): Promise<Disposable> {
    const release = await this.#turns.take(pack);
    return { [Symbol.dispose]: release };
  }

  #setLeaving(pack: PackId, mask: number): void {
    if (mask === 0) this.#leaving.delete(pack);
    else this.#leaving.set(pack, mask);
  }

  async #set(pack: PackId, mask: number): Promise<void> {
    if (mask === this.maskOf(pack)) return;
    const name = nameOf(pack);
    const packs = this.#packsIn(name);
    if (mask === 0) {
      this.#masks.delete(pack);
      packs.delete(pack);
    } else {
      this.#masks.set(pack, mask);
      packs.add(pack);
    }
    await this.#write(name, packs);
  }

  async #write(name: string, packs: ReadonlySet<PackId>): Promise<void> {
    using _turn = await this.#turn(name as PackId);
    if (packs.size === 0) return this.#records.remove(name);
    const entries = [...packs].flatMap((pack) => [idBytes(pack), Uint8Array.of(this.maskOf(pack))]);
    await this.#records.write(name, concat(entries));
  }

  #packsIn(name: string): Set<PackId> {
    const packs = this.#inRecord.get(name) ?? new Set();
    this.#inRecord.set(name, packs);
    return packs;
  }
}

function nameOf(pack: PackId): string {
  return prefix + pack.slice(0, 2);
}

/** Masks by pack, of one record; none of a record that lists something else. */
export function extrasIn(name: string, record: Uint8Array): [PackId, number][] {
  const found: [PackId, number][] = [];
  if (!name.startsWith(prefix)) return found;
  for (let at = 0; at + entrySize <= record.length; at += entrySize) {
    const mask = record[at + entrySize - 1] ?? 0;
    found.push([idOf<PackId>(record.slice(at, at + entrySize - 1)), mask]);
  }
  return found;
}

/** Extra shards as they were last written down. @throws HoldfastError io-error */
export async function readExtras(records: RecordStore, log: Log): Promise<Map<PackId, number>> {
  const all = new Map<PackId, number>();
  for (const name of await records.names()) {
    if (!name.startsWith(prefix)) continue;
    try {
      const record = (await records.read(name)) ?? new Uint8Array();
      for (const [pack, mask] of extrasIn(name, record)) all.set(pack, mask);
    } catch (error) {
      if (codeOf(error) !== 'corrupt') throw error;
      log.log('warn', storageMessages.extraShardsForgotten, { record: name });
    }
  }
  return all;
}
