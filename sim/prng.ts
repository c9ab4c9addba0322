import { assert } from '../src/base/assert.ts';

/**
 * Repeatable numbers from a seed: xoshiro128** (Blackman and Vigna, 2018) over four 32-bit words, filled
 * by SplitMix32. Integers only, so that no floating-point library decides what a seed does.
 */
export class Prng {
  readonly #state = new Uint32Array(4);

  /** `seed`: unsigned 32 bits. */
  constructor(seed: number) {
    let word = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      word = (word + 0x9e3779b9) >>> 0;
      this.#state[i] = mixed(word);
    }
  }

  /** Unsigned 32 bits. */
  next(): number {
    const state = this.#state;
    const [a, b, c, d] = state as unknown as [number, number, number, number];
    const result = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ (state[2] as number);
    state[0] = a ^ (state[3] as number);
    state[2] = (state[2] as number) ^ (b << 9);
    state[3] = rotated(state[3] as number, 11);
    return result;
  }

  /** From 0 to `end` - 1, `end` at most 2^32. The bias of the remainder does not matter here. */
  below(end: number): number {
    assert(end >= 1, 'there is something to choose from');
    return this.next() % end;
  }

  /** From `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True `perMille` times in a thousand. */
  chance(perMille: number): boolean {
    return this.below(1000) < perMille;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() >>> 24);
  }

  /** Another sequence: what is drawn from it does not shift what is drawn from this one. */
  fork(): Prng {
    return new Prng(this.next());
  }
}

function mixed(word: number): number {
  let z = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

function rotated(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0;
}
