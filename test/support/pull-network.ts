import { leafHashes, merkleRoot } from '../../src/core/coding/merkle.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { ShardHead } from '../../src/core/format/shard.ts';
import { idOf, type PackId, type PeerKey } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { Connection, Network, PullReply, PullRequest } from '../../src/ports/network.ts';
import type { Cancel, Clock } from '../../src/ports/runtime.ts';

export type HeldShard = { readonly head: ShardHead; readonly bytes: Uint8Array };

/** What a peer does instead of answering honestly. */
export type Fault =
  | 'missing'
  | 'unreachable'
  /** Answers nothing until the idle timeout. */
  | 'stalled'
  /** One byte of the answer is flipped. */
  | 'flipped'
  /** Half of the answer, as if it were whole. */
  | 'short'
  /** The connection ends in the middle. */
  | 'cut'
  /** Other bytes, with a head that agrees with them but not with the pack id. */
  | 'forged'
  /** The true bytes with the head of the shard after this one. */
  | 'other-head'
  /** A true shard of the pack with its head, but not the one asked for. */
  | 'other-shard';

export type PullRecord = { readonly peer: PeerKey; readonly request: PullRequest };

/** Peers that only answer pulls, from memory; each may be given a fault. */
export class PullNetwork implements Network {
  readonly self = 'ff'.repeat(32) as PeerKey;
  readonly faults = new Map<PeerKey, Fault>();
  /** Answers after this many milliseconds of the clock. */
  readonly delaysMs = new Map<PeerKey, number>();
  readonly pulls: PullRecord[] = [];
  readonly #clock: Clock;
  readonly #shards = new Map<string, HeldShard>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  give(peer: PeerKey, shard: HeldShard): void {
    this.#shards.set(nameOf(peer, shard.head.pack, shard.head.index), shard);
  }

  take(peer: PeerKey, pack: PackId, index: number): void {
    this.#shards.delete(nameOf(peer, pack, index));
  }

  async pull(peer: PeerKey, request: PullRequest, { signal }: Cancel = {}): Promise<PullReply> {
    this.pulls.push({ peer, request });
    signal?.throwIfAborted();
    const delayMs = this.delaysMs.get(peer);
    const cancel = signal === undefined ? {} : { signal };
    if (delayMs !== undefined) await this.#clock.sleep(delayMs, cancel);
    const fault = this.faults.get(peer);
    if (fault === 'stalled') await this.#clock.sleep(limits.pullIdleTimeoutMs, cancel);
    if (fault === 'stalled') throw new HoldfastError('timeout', 'no byte for too long');
    if (fault === 'unreachable' || fault === 'cut') {
      throw new HoldfastError('peer-unreachable', 'the peer cannot be reached');
    }
    const pack = idOf<PackId>(request.pack);
    const shard = this.#shards.get(nameOf(peer, pack, request.index));
    if (fault === 'missing' || shard === undefined) {
      throw new HoldfastError('not-found', 'the shard is not here');
    }
    const other = this.#anyOther(shard);
    if (fault === 'other-shard') return answer(other, request, fault, other.head);
    return answer(fault === 'forged' ? forged(shard) : shard, request, fault, other.head);
  }

  #anyOther(shard: HeldShard): HeldShard {
    const { pack, index } = shard.head;
    for (const other of this.#shards.values()) {
      if (other.head.pack === pack && other.head.index !== index) return other;
    }
    return shard;
  }

  addresses(): readonly string[] {
    return [];
  }
  connections(): readonly Connection[] {
    return [];
  }
  onConnection(): () => void {
    return () => {};
  }
  async connect(): Promise<void> {}
  async connectTo(): Promise<PeerKey> {
    return unsupported();
  }
  async disconnect(): Promise<void> {}
  async enforceAdmission(): Promise<void> {}
  keep(): void {}
  async call(): Promise<Uint8Array> {
    return unsupported();
  }
  serveCalls(): void {}
  servePulls(): void {}
  async publish(): Promise<void> {}
  onPublished(): void {}
  async ping(): Promise<number> {
    return unsupported();
  }
  async findAddresses(): Promise<readonly string[]> {
    return [];
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

function answer(
  shard: HeldShard,
  request: PullRequest,
  fault: Fault | undefined,
  other: ShardHead,
): PullReply {
  const { leaf, count } = request;
  const start = leaf * limits.leafSize;
  let bytes = shard.bytes.slice(start, start + count * limits.leafSize);
  if (fault === 'flipped') bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  if (fault === 'short') bytes = bytes.slice(0, bytes.length >> 1);
  const head = fault === 'other-head' ? other : shard.head;
  return request.withHead ? { bytes, head } : { bytes };
}

function forged({ head, bytes }: HeldShard): HeldShard {
  const wrong = bytes.map((byte) => byte ^ 0xff);
  const leaves = leafHashes(wrong, limits.leafSize);
  const roots = head.roots.map((root, i) => (i === head.index ? merkleRoot(leaves) : root));
  return { head: { ...head, leaves, roots }, bytes: wrong };
}

function nameOf(peer: PeerKey, pack: PackId, index: number): string {
  return `${peer}/${pack}/${index}`;
}

function unsupported(): never {
  throw new HoldfastError('peer-refused', 'these peers only answer pulls');
}
