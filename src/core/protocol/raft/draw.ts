import type { AgentKey } from '../../ids.ts';

/**
 * Repeatable draws of election timeouts: SplitMix32, started from the seed and the own name, so that
 * voters with the same seed do not all wait for the same time.
 */
export class Draw {
  #state: number;

  private constructor(state: number) {
    this.#state = state;
  }

  /** `seed`: any whole number; its lowest 32 bits count. */
  static of(seed: number, self: AgentKey): Draw {
    // FNV-1a, over the characters of the name.
    let state = (seed ^ 0x811c9dc5) >>> 0;
    for (let i = 0; i < self.length; i++) {
      state = Math.imul(state ^ self.charCodeAt(i), 0x01000193) >>> 0;
    }
    return new Draw(state);
  }

  /** From `min` to `max`, both included. Draws nothing where there is no choice. */
  between(min: number, max: number): number {
    return min === max ? min : min + (this.#next() % (max - min + 1));
  }

  /** Unsigned 32 bits that decide all later draws. */
  get state(): number {
    return this.#state;
  }

  clone(): Draw {
    return new Draw(this.#state);
  }

  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  }
}
