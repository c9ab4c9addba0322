import { assert } from '../../base/assert.ts';
import { leafHashOf } from '../../core/format/merkle-log.ts';
import { MerkleRange } from '../../core/format/merkle-range.ts';
import { encodeRaftEntry } from '../../core/format/raft-message.ts';
import type { RaftEntry } from '../../core/protocol/raft/types.ts';

/** The log's head at one size: what voters sign. */
export type LogHead = {
  readonly size: number;
  /** Of the Merkle tree over the entries, 32 bytes. */
  readonly root: Uint8Array;
  /** Of the control state, 32 bytes. */
  readonly stateHash: Uint8Array;
};

const headsMax = 128;

/** The Merkle tree over the entries applied here, and its newest heads. */
export class LogHeads {
  #tree: MerkleRange;
  readonly #heads = new Map<number, LogHead>();

  constructor(tree = MerkleRange.empty()) {
    this.#tree = tree;
  }

  get tree(): MerkleRange {
    return this.#tree;
  }

  append(entry: RaftEntry): void {
    assert(entry.index === this.#tree.size + 1, 'entries are applied in order');
    this.#tree.append(leafHashOf(encodeRaftEntry(entry)));
  }

  /** Remembers the present head. */
  note(stateHash: Uint8Array): void {
    const { size } = this.#tree;
    this.#heads.set(size, { size, root: this.#tree.root(), stateHash });
    for (const oldest of this.#heads.keys()) {
      if (this.#heads.size <= headsMax) break;
      this.#heads.delete(oldest);
    }
  }

  at(size: number): LogHead | undefined {
    return this.#heads.get(size);
  }
}
