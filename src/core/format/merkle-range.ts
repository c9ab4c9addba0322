import { assert } from '../../base/assert.ts';
import { emptyLogRoot, nodeHashOf } from './merkle-log.ts';

/**
 * The tree over all entries of a growing log, as the roots of its full subtrees: one hash for each bit that
 * is set in its size, so that memory and work stay logarithmic. See merkle-log.ts for the hashes.
 */
export class MerkleRange {
  #size: number;
  /** Largest subtree first, 32 bytes each. */
  readonly #roots: Uint8Array[];

  private constructor(size: number, roots: Uint8Array[]) {
    this.#size = size;
    this.#roots = roots;
  }

  static empty(): MerkleRange {
    return new MerkleRange(0, []);
  }

  /**
   * What `roots` and `size` gave. @param roots copied.
   * @returns undefined when there are not as many hashes of 32 bytes as the size has bits set.
   */
  static from(size: number, roots: readonly Uint8Array[]): MerkleRange | undefined {
    if (!Number.isSafeInteger(size) || size < 0 || roots.length !== bitsSet(size)) return undefined;
    if (roots.some((root) => root.length !== 32)) return undefined;
    return new MerkleRange(
      size,
      roots.map((root) => root.slice()),
    );
  }

  /** Entries. */
  get size(): number {
    return this.#size;
  }

  /** Roots of the full subtrees, largest first, 32 bytes each; copies. */
  get roots(): readonly Uint8Array[] {
    return this.#roots.map((root) => root.slice());
  }

  /** Takes the leaf hash (32 bytes) of the next entry; copied. */
  append(leafHash: Uint8Array): void {
    assert(leafHash.length === 32, 'a leaf hash is 32 bytes');
    let root: Uint8Array = leafHash.slice();
    // As in adding one to a binary number: each 1 at the end is carried.
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = this.#roots.pop();
      assert(left !== undefined, 'a bit of the size has its subtree');
      root = nodeHashOf(left, root);
    }
    this.#roots.push(root);
    this.#size++;
  }

  /** Root of the whole tree, 32 bytes; of an empty log, SHA-256 of nothing. */
  root(): Uint8Array {
    const [last, ...others] = this.#roots.toReversed();
    if (last === undefined) return emptyLogRoot();
    return others.reduce((right, left) => nodeHashOf(left, right), last).slice();
  }
}

function bitsSet(size: number): number {
  return size.toString(2).replaceAll('0', '').length;
}
