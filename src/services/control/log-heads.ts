import { assert } from '../../base/assert.ts';
import { leafHashOf } from '../../core/format/merkle-log.ts';
import { MerkleRange } from '../../core/format/merkle-range.ts';
import { encodeRaftEntry } from '../../core/format/raft-message.ts';
import type { LogHead } from '../../core/protocol/control/log-checkpoint.ts';
import type { RaftEntry } from '../../core/protocol/raft/types.ts';

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
  note({ stateHash, voters }: Pick<LogHead, 'stateHash' | 'voters'>): void {
    const { size } = this.#tree;
    this.#heads.set(size, { size, root: this.#tree.root(), stateHash, voters });
    for (const oldest of this.#heads.keys()) {
      if (this.#heads.size <= headsMax) break;
      this.#heads.delete(oldest);
    }
  }

  at(size: number): LogHead | undefined {
    return this.#heads.get(size);
  }
}
