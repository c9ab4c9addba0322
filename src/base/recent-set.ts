import { assert } from './assert.ts';

/**
 * What was met lately: at least the newest `size` names, at most twice as many. Two halves take turns, so that
 * nothing is ever counted or sorted, and being full never forgets all at once.
 */
export class RecentSet {
  readonly #size: number;
  #young = new Set<string>();
  #old: ReadonlySet<string> = new Set();

  constructor(size: number) {
    assert(size >= 1, 'it remembers something');
    this.#size = size;
  }

  /** Whether the name is remembered; asking keeps it so. */
  has(name: string): boolean {
    if (this.#young.has(name)) return true;
    if (!this.#old.has(name)) return false;
    this.add(name);
    return true;
  }

  add(name: string): void {
    this.#young.add(name);
    if (this.#young.size < this.#size) return;
    this.#old = this.#young;
    this.#young = new Set();
  }
}
