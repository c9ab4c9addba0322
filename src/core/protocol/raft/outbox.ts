import { assert } from '../../../base/assert.ts';
import type { HardState, RaftEffect, RaftEntry, RaftSnapshot, RaftWrite } from './types.ts';

/**
 * Gathers the effects of one step. All writes of a step become one `persist`, which stands before
 * everything else: so nothing leaves before what it rests on is durable.
 */
export class Outbox {
  #write: RaftWrite = {};
  #effects: RaftEffect[] = [];

  saveHard(hard: HardState): void {
    this.#write = { ...this.#write, hard };
  }

  /** Entries that follow on the log, which is first cut before `truncateFrom` where that is given. */
  saveEntries(append: readonly RaftEntry[], truncateFrom?: number): void {
    assert(truncateFrom === undefined || this.#write.append === undefined, 'a step cuts first');
    this.#write = {
      ...this.#write,
      ...(truncateFrom === undefined ? {} : { truncateFrom }),
      append: [...(this.#write.append ?? []), ...append],
    };
  }

  saveSnapshot(snapshot: RaftSnapshot): void {
    assert(this.#write.append === undefined, 'a snapshot does not follow entries in one step');
    this.#write = { ...this.#write, snapshot };
  }

  add(effect: RaftEffect): void {
    this.#effects.push(effect);
  }

  /** What was gathered, in the order in which it must be done; the outbox is empty afterwards. */
  drain(): RaftEffect[] {
    const persist: RaftEffect[] =
      Object.keys(this.#write).length === 0 ? [] : [{ kind: 'persist', write: this.#write }];
    const effects = [...persist, ...this.#effects];
    this.#write = {};
    this.#effects = [];
    return effects;
  }
}
