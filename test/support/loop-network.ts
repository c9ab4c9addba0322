import { assert } from '../../src/base/assert.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { PeerKey } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { Connection, Network, PullReply, PullRequest } from '../../src/ports/network.ts';
import type { Cancel } from '../../src/ports/runtime.ts';

type CallHandler = (peer: PeerKey, request: Uint8Array, options: Cancel) => Promise<Uint8Array>;
type PullHandler = (peer: PeerKey, request: PullRequest, options: Cancel) => Promise<PullReply>;
type ConnectionListener = (event: { peer: PeerKey; isConnected: boolean }) => void;

/**
 * A network of agents in one process, without timers: connections stand or they do not, and messages arrive
 * in the order in which they were sent.
 */
export class LoopHub {
  readonly #networks = new Map<PeerKey, LoopNetwork>();
  readonly #cuts = new Set<string>();
  /** Calls answered by anybody. */
  calls = 0;
  /** Published messages vanish. */
  isGossipLost = false;

  /** An agent whose far ends know it as `self`. `admit` decides who may be connected with it. */
  open(self: PeerKey, admit: (peer: PeerKey) => boolean): LoopNetwork {
    assert(!this.#networks.has(self), 'one agent of a key at a time');
    const network = new LoopNetwork(this, self, admit);
    this.#networks.set(self, network);
    return network;
  }

  /** Peers on both sides lose each other until `heal`. */
  cut(a: PeerKey, b: PeerKey): void {
    this.#cuts.add(pairOf(a, b));
    this.find(a)?.drop(b);
  }

  /** Everybody loses `peer`. */
  isolate(peer: PeerKey): void {
    for (const other of this.#networks.keys()) if (other !== peer) this.cut(peer, other);
  }

  /** Everybody can reach everybody again, and does whom it keeps. */
  async heal(): Promise<void> {
    this.#cuts.clear();
    for (const network of this.#networks.values()) await network.dialKept();
  }

  find(peer: PeerKey): LoopNetwork | undefined {
    return this.#networks.get(peer);
  }

  /** Who listens there; undefined too when the way is cut. */
  reach(from: PeerKey, matches: (network: LoopNetwork) => boolean): LoopNetwork | undefined {
    for (const network of this.#networks.values()) {
      if (matches(network) && !this.#cuts.has(pairOf(from, network.self))) return network;
    }
    return undefined;
  }

  close(peer: PeerKey): void {
    this.#networks.delete(peer);
  }
}

export class LoopNetwork implements Network {
  readonly self: PeerKey;
  readonly #hub: LoopHub;
  readonly #admit: (peer: PeerKey) => boolean;
  readonly #connected = new Set<PeerKey>();
  readonly #listeners = new Set<ConnectionListener>();
  #kept: readonly { peer: PeerKey; addresses: readonly string[] }[] = [];
  #answer: CallHandler | undefined;
  #pulled: PullHandler | undefined;
  #published: ((from: PeerKey, message: Uint8Array) => void) | undefined;

  constructor(hub: LoopHub, self: PeerKey, admit: (peer: PeerKey) => boolean) {
    this.#hub = hub;
    this.self = self;
    this.#admit = admit;
  }

  addresses(): readonly string[] {
    return [`/memory/${this.self.slice(0, 16)}`];
  }

  connections(): readonly Connection[] {
    return [...this.#connected].map((peer) => ({
      peer,
      address: `/memory/${peer.slice(0, 16)}`,
      path: 'direct',
    }));
  }

  onConnection(listener: ConnectionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The far end refuses after the handshake, as over TCP: this side first sees a connection, then its end. */
  async connect(peer: PeerKey, addresses: readonly string[]): Promise<void> {
    if (this.#connected.has(peer)) return;
    const isThere = (other: LoopNetwork): boolean =>
      other.self === peer && other.addresses().some((address) => addresses.includes(address));
    const other = this.#hub.reach(this.self, isThere);
    if (other === undefined || !this.#admit(peer)) throw unreachable(peer);
    await this.#meet(other);
  }

  async #meet(other: LoopNetwork): Promise<void> {
    this.#open(other.self);
    other.#open(this.self);
    if (!other.#admit(this.self)) other.drop(this.self);
    await Promise.resolve();
  }

  /** Whoever answers there is let through, member or not. */
  async connectTo(address: string): Promise<PeerKey> {
    const other = this.#hub.reach(this.self, (network) => network.addresses().includes(address));
    if (other === undefined) throw unreachable(address);
    if (!this.#connected.has(other.self)) await this.#meet(other);
    return other.self;
  }

  #open(peer: PeerKey): void {
    if (this.#connected.has(peer)) return;
    this.#connected.add(peer);
    if (this.#admit(peer)) this.#tell(peer, true);
  }

  #tell(peer: PeerKey, isConnected: boolean): void {
    for (const listener of this.#listeners) listener({ peer, isConnected });
  }

  /** Ends the connection on both sides. */
  drop(peer: PeerKey): void {
    if (!this.#connected.delete(peer)) return;
    this.#tell(peer, false);
    this.#hub.find(peer)?.drop(this.self);
  }

  async disconnect(peer: PeerKey): Promise<void> {
    this.drop(peer);
  }

  async enforceAdmission(): Promise<void> {
    for (const peer of [...this.#connected]) if (!this.#admit(peer)) this.drop(peer);
  }

  keep(peers: readonly { peer: PeerKey; addresses: readonly string[] }[]): void {
    this.#kept = peers;
    void this.dialKept();
  }

  async dialKept(): Promise<void> {
    for (const { peer, addresses } of this.#kept) {
      // Whoever is away is dialled again by heal().
      await this.connect(peer, addresses).catch(() => {});
    }
  }

  async call(
    peer: PeerKey,
    request: Uint8Array,
    { signal }: Cancel & { timeoutMs?: number } = {},
  ): Promise<Uint8Array> {
    assert(request.length <= limits.messageSizeMax, 'a request is bounded');
    signal?.throwIfAborted();
    const answer = this.#remote(peer).#answer;
    if (answer === undefined) throw unreachable(peer);
    this.#hub.calls++;
    const response = await answer(this.self, request.slice(), {});
    if (response.length > limits.messageSizeMax) {
      throw new HoldfastError('limit-exceeded', 'the response is too large');
    }
    this.#remote(peer);
    return response.slice();
  }

  serveCalls(handler: CallHandler): void {
    this.#answer = handler;
  }

  async pull(peer: PeerKey, request: PullRequest): Promise<PullReply> {
    const pulled = this.#remote(peer).#pulled;
    if (pulled === undefined) throw unreachable(peer);
    return pulled(this.self, request, {});
  }

  servePulls(handler: PullHandler): void {
    this.#pulled = handler;
  }

  #remote(peer: PeerKey): LoopNetwork {
    const other = this.#connected.has(peer) ? this.#hub.find(peer) : undefined;
    if (other === undefined) throw unreachable(peer);
    return other;
  }

  async publish(message: Uint8Array): Promise<void> {
    if (this.#hub.isGossipLost) return;
    for (const peer of [...this.#connected]) {
      const other = this.#hub.find(peer);
      queueMicrotask(() => other?.hear(this.self, message.slice()));
    }
  }

  onPublished(handler: (from: PeerKey, message: Uint8Array) => void): void {
    this.#published = handler;
  }

  hear(from: PeerKey, message: Uint8Array): void {
    this.#published?.(from, message);
  }

  async ping(peer: PeerKey): Promise<number> {
    this.#remote(peer);
    return 1;
  }

  async findAddresses(peer: PeerKey): Promise<readonly string[]> {
    return this.#hub.find(peer)?.addresses() ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of [...this.#connected]) this.drop(peer);
    this.#hub.close(this.self);
  }
}

function pairOf(a: PeerKey, b: PeerKey): string {
  return [a, b].sort().join();
}

function unreachable(what: string): HoldfastError {
  return new HoldfastError('peer-unreachable', `${what.slice(0, 16)} cannot be reached`);
}
