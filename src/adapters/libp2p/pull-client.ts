import { abortable } from '../../base/abortable.ts';
import { assert } from '../../base/assert.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type PeerKey, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { PullReply, PullRequest } from '../../ports/network.ts';
import type { ByteStream } from './byte-stream.ts';
import { unreachable } from './failure.ts';
import { PullLane } from './pull-lane.ts';
import { pullStreamsMax, pullsWaitingMax } from './stream-limits.ts';

/** Opens a pull stream to a peer. @throws HoldfastError peer-unreachable */
export type OpenPullStream = (peer: PeerKey) => Promise<ByteStream>;

/** Pulls from others, spread over a few streams to each. */
export class PullClient {
  readonly #open: OpenPullStream;
  readonly #peers = new Map<PeerKey, PeerLanes>();

  constructor(open: OpenPullStream) {
    this.#open = open;
  }

  async pull(
    peer: PeerKey,
    request: PullRequest,
    signal: AbortSignal | undefined,
  ): Promise<PullReply> {
    signal?.throwIfAborted();
    const lanes = this.#peers.get(peer) ?? new PeerLanes(() => this.#open(peer));
    this.#peers.set(peer, lanes);
    try {
      return await lanes.pull(request, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(`cannot pull from peer ${shortId(peer)}`, error);
    }
  }

  /** Fails what is outstanding with a peer that has gone, and closes the streams to it. */
  forget(peer: PeerKey, cause: Error): void {
    this.#peers.get(peer)?.end(cause);
    this.#peers.delete(peer);
  }

  /** The same for all peers. */
  end(cause: Error): void {
    for (const peer of this.#peers.keys()) this.forget(peer, cause);
  }
}

type Slot = { load: number; lane: Promise<PullLane> | undefined };

class PeerLanes {
  readonly #open: () => Promise<ByteStream>;
  readonly #turns = new Semaphore(pullStreamsMax * limits.pullsOutstandingMax);
  readonly #slots: Slot[] = Array.from({ length: pullStreamsMax }, () => ({
    load: 0,
    lane: undefined,
  }));
  #count = 0;

  constructor(open: () => Promise<ByteStream>) {
    this.#open = open;
  }

  async pull(request: PullRequest, signal: AbortSignal | undefined): Promise<PullReply> {
    if (this.#count >= pullsWaitingMax) {
      throw new HoldfastError('limit-exceeded', 'too many pulls from one peer are waiting');
    }
    this.#count += 1;
    // What has been asked for arrives even when nobody waits any more, and counts until then.
    const work = this.#pullInTurn(request, signal).finally(() => {
      this.#count -= 1;
    });
    return abortable(work, signal);
  }

  end(cause: Error): void {
    for (const slot of this.#slots) {
      slot.lane?.then(
        (lane) => lane.end(cause),
        () => undefined,
      );
    }
  }

  async #pullInTurn(request: PullRequest, signal: AbortSignal | undefined): Promise<PullReply> {
    const release = await this.#turns.acquire();
    const slot = this.#leastLoaded();
    slot.load += 1;
    assert(slot.load <= limits.pullsOutstandingMax, 'a pull stream is overloaded');
    try {
      signal?.throwIfAborted();
      const lane = await this.#laneOf(slot);
      signal?.throwIfAborted();
      return await lane.pull(request);
    } finally {
      slot.load -= 1;
      release();
    }
  }

  /** Streams that are open come first among equals. */
  #leastLoaded(): Slot {
    return this.#slots.reduce((best, slot) => {
      if (slot.load !== best.load) return slot.load < best.load ? slot : best;
      return best.lane === undefined && slot.lane !== undefined ? slot : best;
    });
  }

  #laneOf(slot: Slot): Promise<PullLane> {
    if (slot.lane !== undefined) return slot.lane;
    const lane = this.#open().then(
      (stream) =>
        new PullLane(stream, () => {
          if (slot.lane === lane) slot.lane = undefined;
        }),
    );
    slot.lane = lane;
    lane.catch(() => {
      if (slot.lane === lane) slot.lane = undefined;
    });
    return lane;
  }
}
