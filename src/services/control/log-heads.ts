import { assert } from '../../base/assert.ts';
import { leafHashOf } from '../../core/format/merkle-log.ts';
import { MerkleRange } from '../../core/format/merkle-range.ts';
import { encodeRaftEntry } from '../../core/format/raft-message.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { LogHead } from '../../core/protocol/control/log-checkpoint.ts';
import type { RaftEntry } from '../../core/protocol/raft/types.ts';

const headsMax = 128;

/**
 * The Merkle tree over the entries applied here, and its newest heads: one for each place at which the log has rested.
 *
 * To hash a state costs as much as to apply a dozen entries, and few heads are ever asked for. So a head is made
 * when somebody asks, while the log still rests there. Only when somebody has asked for one that was passed (a busy
 * log, and a leader some way off) are heads made in advance for a while.
 */
export class LogHeads {
  #tree: MerkleRange;
  readonly #heads = new Map<number, LogHead>();
  /** What the entries so far have led to, while the log rests there. */
  #resting: ControlState | undefined;
  /** So many heads are made without being asked for. */
  #inAdvance = 0;

  constructor(tree = MerkleRange.empty()) {
    this.#tree = tree;
  }

  get tree(): MerkleRange {
    return this.#tree;
  }

  /** The log is at rest, in this state; `moveOn` is called before the state changes. */
  rest(state: ControlState): void {
    this.#resting = state;
  }

  /** More entries come. */
  moveOn(): void {
    if (this.#inAdvance > 0) {
      this.#inAdvance--;
      this.at(this.#tree.size);
    }
    this.#resting = undefined;
  }

  append(entry: RaftEntry): void {
    assert(this.#resting === undefined, 'a log at rest does not grow');
    assert(entry.index === this.#tree.size + 1, 'entries are applied in order');
    this.#tree.append(leafHashOf(encodeRaftEntry(entry)));
  }

  /** The head at this size, if the log rests there, or has rested there lately and the head was made. */
  at(size: number): LogHead | undefined {
    const known = this.#heads.get(size);
    if (known !== undefined) return known;
    if (this.#resting !== undefined && size === this.#tree.size) return this.#make(this.#resting);
    const passed = this.#tree.size - size;
    if (passed > 0 && passed <= headsMax) this.#inAdvance = headsMax;
    return undefined;
  }

  #make(state: ControlState): LogHead {
    const { size } = this.#tree;
    const { voters } = state.config;
    const head = { size, root: this.#tree.root(), stateHash: state.hash(), voters };
    this.#heads.set(size, head);
    for (const oldest of this.#heads.keys()) {
      if (this.#heads.size <= headsMax) break;
      this.#heads.delete(oldest);
    }
    return head;
  }
}
