import { assert } from './assert.ts';

/**
 * What was found out lately, by name: at least the newest `size` names, at most twice as many. Two halves take
 * turns, so that nothing is ever counted or sorted, and being full never forgets all at once.
 */
export class RecentMap<Value> {
  readonly #size: number;
  #young = new Map<string, Value>();
  #old: ReadonlyMap<string, Value> = new Map();

  constructor(size: number) {
    assert(size >= 1, 'it remembers something');
    this.#size = size;
  }

  /** What is remembered of a name; asking keeps it so. */
  get(name: string): Value | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.set(name, old);
    return old;
  }

  set(name: string, value: Value): void {
    this.#young.set(name, value);
    if (this.#young.size < this.#size) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
