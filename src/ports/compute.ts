import type { EncodedPack } from '../core/coding/pack-coding.ts';
import type { FrameContext } from '../core/format/frame.ts';
import type { OpenedFrame, OpenFrameJob } from '../core/format/opened-frame.ts';
import type { CheckedLeaves, LeavesToCheck } from '../core/format/shard-leaves.ts';

export type { EncodedPack } from '../core/coding/pack-coding.ts';

/** Heavy, pure work, done off the main thread. Buffers given are taken over: the caller must not use them again. */
export interface Compute extends AsyncDisposable {
  /**
   * zstd, then AES-256-GCM. `givesBuffer`: with `plain` all memory is given that it is a part of, so that nothing of it
   * has to be copied. @returns the sealed frame.
   */
  sealFrame(job: {
    plain: Uint8Array;
    givesBuffer?: boolean;
    key: Uint8Array;
    context: FrameContext;
    level: number;
  }): Promise<Uint8Array>;
  /**
   * Opens a frame; that its chunks are those of their ids is still to be seen. `plainSizeMax` bounds inflation.
   * @throws HoldfastError corrupt
   */
  openFrame(job: OpenFrameJob): Promise<OpenedFrame>;
  /** @returns the bytes again, and which of their leaves is not what its hash says */
  checkLeaves(job: LeavesToCheck): Promise<CheckedLeaves>;
  /** Splits a pack, given in pieces of any size, into k data shards, adds m parity shards, hashes leaves. */
  encode(job: { parts: readonly Uint8Array[]; k: number; m: number }): Promise<EncodedPack>;
  /**
   * Rebuilds the same byte range of the wanted shards from that range of any k others.
   * @returns one array per wanted index, in order.
   */
  reconstruct(job: {
    k: number;
    m: number;
    present: readonly { index: number; bytes: Uint8Array }[];
    wanted: readonly number[];
  }): Promise<Uint8Array[]>;
}
