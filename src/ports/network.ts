import type { ShardHead } from '../core/format/shard.ts';
import type { PeerKey, TraceId } from '../core/ids.ts';
import type { ReadPurpose } from '../core/policy/read-purpose.ts';
import type { Cancel } from './runtime.ts';

/**
 * What agents need of each other, over connections whose far end has proved its PeerKey.
 * Who may connect is decided by `admit`; a peer for which it answers false is cut right after the handshake.
 */
export interface Network extends AsyncDisposable {
  readonly self: PeerKey;
  /** Addresses that others can dial, without the peer id (e.g. /ip4/192.0.2.1/tcp/7420). */
  addresses(): readonly string[];
  connections(): readonly Connection[];
  /** Called on each connect and disconnect of an admitted peer. Returns a function that stops it. */
  onConnection(listener: (event: { peer: PeerKey; isConnected: boolean }) => void): () => void;
  /**
   * Dials until one address answers as `peer`. Resolves when the connection is admitted by both sides,
   * as far as this side can tell.
   * @throws HoldfastError peer-unreachable, with the detail `wasRefused` when the peer cut the connection itself
   */
  connect(peer: PeerKey, addresses: readonly string[], options?: Cancel): Promise<void>;
  /** Dials an address whose owner is not known yet. @returns who answered. @throws HoldfastError peer-unreachable */
  connectTo(address: string, options?: Cancel): Promise<PeerKey>;
  disconnect(peer: PeerKey): Promise<void>;
  /** Cuts connections whose peer `admit` no longer accepts. Call after membership changed. */
  enforceAdmission(): Promise<void>;
  /** Keep trying to stay connected with these peers. Replaces the earlier list. */
  keep(peers: readonly { peer: PeerKey; addresses: readonly string[] }[]): void;

  /**
   * One request, one response, each at most limits.messageSizeMax bytes.
   * @throws HoldfastError peer-unreachable | timeout | limit-exceeded
   */
  call(
    peer: PeerKey,
    request: Uint8Array,
    options?: Cancel & { timeoutMs?: number },
  ): Promise<Uint8Array>;
  /** Answers calls. At most a bounded number run at once for each peer; a rejection resets the stream. */
  serveCalls(
    handler: (peer: PeerKey, request: Uint8Array, options: Cancel) => Promise<Uint8Array>,
  ): void;

  /**
   * Asks for leaves of a shard. Receiver-driven: what this side has asked for and not yet taken is bounded by
   * limits.pullLeavesMax * limits.pullsOutstandingMax leaves a stream. Not verified: the caller checks.
   * @throws HoldfastError of the code that the peer sent (not-found, corrupt, ...), peer-unreachable, timeout
   */
  pull(peer: PeerKey, request: PullRequest, options?: Cancel): Promise<PullReply>;
  servePulls(
    handler: (peer: PeerKey, request: PullRequest, options: Cancel) => Promise<PullReply>,
  ): void;

  /** Tells all reachable members something small; may not arrive. */
  publish(message: Uint8Array): Promise<void>;
  onPublished(handler: (from: PeerKey, message: Uint8Array) => void): void;

  /** Round trip in milliseconds. @throws HoldfastError peer-unreachable | timeout */
  ping(peer: PeerKey, options?: Cancel): Promise<number>;
  /** Addresses at which the DHT believes the peer is: hints, to be proved by the handshake. */
  findAddresses(peer: PeerKey, options?: Cancel): Promise<readonly string[]>;
}

export type Connection = {
  readonly peer: PeerKey;
  readonly address: string;
  readonly path: 'direct' | 'relayed';
  /** Who opened it. */
  readonly openedBy?: 'self' | 'peer';
  /** The member that passes it on. */
  readonly relay?: PeerKey | undefined;
  /** Why there is no direct one, as the last attempt has shown; undefined: nothing was tried. */
  readonly obstacle?: string | undefined;
};

export type PullRequest = {
  readonly pack: Uint8Array;
  readonly index: number;
  readonly leaf: number;
  readonly count: number;
  readonly withHead: boolean;
  /** Why; undefined: none that the reader could show. */
  readonly purpose?: ReadPurpose | undefined;
  /** Of which backup or restore it is part: for the log of who serves it. */
  readonly trace?: TraceId | undefined;
  /** Id of the caller's span of that trace, for whoever lays the spans of both hosts together. */
  readonly span?: string | undefined;
};

export type PullReply = {
  readonly bytes: Uint8Array;
  readonly head?: ShardHead;
  /** Of an answer that is served: nobody else uses its bytes, whose memory may be given back once they are sent. */
  readonly isGivenAway?: boolean;
};
