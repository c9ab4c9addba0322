import type { PackId } from '../../core/ids.ts';
import { keptMask, type SurveyedPack } from './pack-survey.ts';

type Packs = ReadonlyMap<PackId, SurveyedPack>;

/**
 * Shards that somebody had signed for and has taken back since. They had arrived once, so nobody has to wait for
 * their source. After a restart this is forgotten, and such a shard is waited for as one that never came.
 */
export class TakenBack {
  readonly #masks = new Map<PackId, number>();
  #before: Packs = new Map();

  note(packs: Packs): void {
    for (const [pack, { words }] of packs) {
      let taken = this.#masks.get(pack) ?? 0;
      for (const [agent, said] of this.#before.get(pack)?.words ?? []) {
        const mask = words.get(agent)?.mask;
        if (mask !== undefined) taken |= keptMask(said) & ~mask;
      }
      if (taken !== 0) this.#masks.set(pack, taken >>> 0);
    }
    for (const pack of this.#masks.keys()) if (!packs.has(pack)) this.#masks.delete(pack);
    this.#before = packs;
  }

  /** Bit i: shard i. */
  maskOf(pack: PackId): number {
    return this.#masks.get(pack) ?? 0;
  }
}
