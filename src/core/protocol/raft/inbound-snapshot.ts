import { toHex } from '../../../base/bytes.ts';
import type { BodyOf, RaftSnapshot } from './types.ts';

type SnapshotRequest = BodyOf<'snapshot-request'>;

/**
 * A snapshot on its way here, in pieces. They are joined only while they come from one leader in one term:
 * another leader may encode the same state to other bytes. Lost at a restart, and then begun anew.
 */
export class InboundSnapshot {
  /** Of the leader that sends it. */
  readonly #leaderTerm: number;
  readonly #index: number;
  readonly #term: number;
  readonly #config: RaftSnapshot['config'];
  readonly #state: Uint8Array;
  #received = 0;

  constructor(leaderTerm: number, first: SnapshotRequest) {
    this.#leaderTerm = leaderTerm;
    this.#index = first.index;
    this.#term = first.snapshotTerm;
    this.#config = first.config;
    this.#state = new Uint8Array(first.totalSize);
  }

  /** Bytes that are here, from the start on. */
  get received(): number {
    return this.#received;
  }

  /** True when a piece of this leader term belongs to this snapshot. */
  isContinuedBy(leaderTerm: number, piece: SnapshotRequest): boolean {
    return (
      leaderTerm === this.#leaderTerm &&
      piece.index === this.#index &&
      piece.snapshotTerm === this.#term &&
      piece.totalSize === this.#state.length
    );
  }

  /** True when a piece of this leader term is of an older snapshot, which has been given up. */
  isNewerThan(leaderTerm: number, piece: SnapshotRequest): boolean {
    return leaderTerm === this.#leaderTerm && piece.index < this.#index;
  }

  /** Takes a piece if it comes next. @returns the snapshot once it is complete */
  take(piece: SnapshotRequest): RaftSnapshot | undefined {
    if (piece.offset === this.#received) {
      this.#state.set(piece.bytes, piece.offset);
      this.#received += piece.bytes.length;
    }
    if (this.#received < this.#state.length) return undefined;
    return { index: this.#index, term: this.#term, config: this.#config, state: this.#state };
  }

  clone(): InboundSnapshot {
    const copy = new InboundSnapshot(this.#leaderTerm, {
      kind: 'snapshot-request',
      index: this.#index,
      snapshotTerm: this.#term,
      config: this.#config,
      offset: 0,
      bytes: this.#state.subarray(0, this.#received),
      totalSize: this.#state.length,
      round: 0,
    });
    copy.#state.set(this.#state.subarray(0, this.#received));
    copy.#received = this.#received;
    return copy;
  }

  fingerprint(): unknown {
    const bytes = toHex(this.#state.subarray(0, this.#received));
    return [this.#leaderTerm, this.#index, this.#term, this.#config, this.#state.length, bytes];
  }
}
