import { HoldfastError } from '../src/core/errors.ts';
import { type PeerKey, shortId } from '../src/core/ids.ts';
import { limits } from '../src/core/limits.ts';
import type { Connection, Network, PullReply } from '../src/ports/network.ts';
import type { Cancel } from '../src/ports/runtime.ts';
import type { Internet } from './internet.ts';
import type { Life } from './world.ts';

export type CallHandler = (
  peer: PeerKey,
  request: Uint8Array,
  options: Cancel,
) => Promise<Uint8Array>;
type Listener = (event: { peer: PeerKey; isConnected: boolean }) => void;
type Kept = readonly { readonly peer: PeerKey; readonly addresses: readonly string[] }[];

/** One connection; each end learns by itself that it has ended. */
export type Link = { readonly number: number; readonly ends: readonly [SimNetwork, SimNetwork] };

/** What ends when a connection does. */
type Pending = { readonly link: Link; readonly fail: (error: HoldfastError) => void };

/** One end of the simulated internet: the network of one run of one host. */
export class SimNetwork implements Network {
  readonly self: PeerKey;
  readonly life: Life;
  /** For the trace. */
  readonly name: string;
  readonly #internet: Internet;
  readonly #host: { readonly address: string };
  readonly #admit: (peer: PeerKey) => boolean;
  readonly #links = new Map<PeerKey, Set<Link>>();
  readonly #listeners = new Set<Listener>();
  readonly #pending = new Set<Pending>();
  #kept: Kept = [];
  #answer: CallHandler | undefined;
  #published: ((from: PeerKey, message: Uint8Array) => void) | undefined;

  constructor(
    internet: Internet,
    options: {
      readonly self: PeerKey;
      readonly life: Life;
      readonly host: { readonly address: string; readonly name: string };
      readonly admit: (peer: PeerKey) => boolean;
    },
  ) {
    this.#internet = internet;
    this.self = options.self;
    this.life = options.life;
    this.name = options.host.name;
    this.#host = options.host;
    this.#admit = options.admit;
    internet.attach(this);
    this.#everyPeriod(limits.reconnectPeriodMs, () => this.#dialKept());
    this.#everyPeriod(limits.syncPeriodMs, () => this.#dropBroken());
  }

  #everyPeriod(periodMs: number, work: () => void): void {
    const { world, random } = this.#internet;
    world.after(random.between(periodMs / 2, (periodMs * 3) / 2), () => {
      if (!this.life.isAlive) return;
      work();
      this.#everyPeriod(periodMs, work);
    });
  }

  addresses(): readonly string[] {
    return this.#host.address === '' ? [] : [this.#host.address];
  }

  connections(): readonly Connection[] {
    return [...this.#links.keys()].map((peer) => ({ peer, address: '', path: 'direct' }));
  }

  onConnection(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  admits(peer: PeerKey): boolean {
    return this.#admit(peer);
  }

  /** The newest connection to a peer, as this end sees it. */
  linkTo(peer: PeerKey): Link | undefined {
    return [...(this.#links.get(peer) ?? [])].at(-1);
  }

  has(link: Link): boolean {
    return this.life.isAlive && (this.#links.get(farEnd(link, this).self)?.has(link) ?? false);
  }

  async connect(peer: PeerKey, addresses: readonly string[], _options?: Cancel): Promise<void> {
    if (this.#links.has(peer)) return;
    if (!this.#admit(peer)) throw unreachable(peer);
    await this.#internet.dial(this, { peer, addresses });
  }

  async connectTo(address: string): Promise<PeerKey> {
    const peer = this.#internet.ownerOf(address);
    if (peer === undefined) throw unreachable(address);
    await this.connect(peer, [address]);
    return peer;
  }

  /** This end of a connection stands. */
  open(link: Link): void {
    const peer = farEnd(link, this).self;
    const links = this.#links.get(peer) ?? new Set();
    this.#links.set(peer, links.add(link));
    if (links.size === 1) this.#tell(peer, true);
  }

  /** This end of a connection is gone, and with it all that waits for it. */
  drop(link: Link): void {
    if (!this.has(link)) return;
    const peer = farEnd(link, this).self;
    const links = this.#links.get(peer);
    links?.delete(link);
    if (links?.size === 0) this.#links.delete(peer);
    for (const pending of this.#pending) if (pending.link === link) pending.fail(unreachable(peer));
    if (links?.size === 0) this.#tell(peer, false);
  }

  #tell(peer: PeerKey, isConnected: boolean): void {
    for (const listener of this.#listeners) listener({ peer, isConnected });
  }

  async disconnect(peer: PeerKey): Promise<void> {
    for (const link of [...(this.#links.get(peer) ?? [])]) this.#internet.close(this, link);
  }

  async enforceAdmission(): Promise<void> {
    for (const peer of [...this.#links.keys()]) {
      if (!this.#admit(peer)) await this.disconnect(peer);
    }
  }

  keep(peers: Kept): void {
    this.#kept = peers;
    this.#dialKept();
  }

  #dialKept(): void {
    for (const { peer, addresses } of this.#kept) {
      if (this.#links.has(peer)) continue;
      const hints = this.#internet.lookUp(peer);
      this.connect(peer, [...addresses, ...hints]).catch(ignoreFailure);
    }
  }

  /** What the heartbeat of a real connection finds out. */
  #dropBroken(): void {
    for (const links of [...this.#links.values()]) {
      for (const link of [...links]) if (!this.#internet.isWhole(link)) this.drop(link);
    }
  }

  /** Resolves with the answer, if that comes back; a lost answer says nothing of what was done. */
  async call(
    peer: PeerKey,
    request: Uint8Array,
    { signal, timeoutMs = limits.requestTimeoutMs }: Cancel & { timeoutMs?: number } = {},
  ): Promise<Uint8Array> {
    this.#internet.world.requireMoving('called');
    signal?.throwIfAborted();
    const link = this.linkTo(peer);
    if (link === undefined) throw unreachable(peer);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const pending: Pending = { link, fail: reject };
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#pending.add(pending);
    const callOff = this.#internet.world.after(timeoutMs, () => {
      if (!this.life.isAlive) return;
      reject(new HoldfastError('timeout', `${shortId(peer)} did not answer in time`));
    });
    this.#internet.request(this, { link, request, resolve });
    try {
      return await promise;
    } finally {
      callOff();
      this.#pending.delete(pending);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  serveCalls(handler: CallHandler): void {
    this.#answer = handler;
  }

  /** Answers a call that has arrived over `link`; undefined: with nothing, as a reset stream does. */
  async answer(link: Link, request: Uint8Array): Promise<Uint8Array | undefined> {
    const from = farEnd(link, this).self;
    const stop = new AbortController();
    const pending: Pending = { link, fail: (error) => stop.abort(error) };
    this.#pending.add(pending);
    try {
      return await this.#answer?.(from, request, { signal: stop.signal });
    } finally {
      this.#pending.delete(pending);
    }
  }

  /** Shards are not simulated. */
  async pull(peer: PeerKey): Promise<PullReply> {
    throw unreachable(peer);
  }

  servePulls(): void {}

  async publish(message: Uint8Array): Promise<void> {
    for (const peer of this.#links.keys()) {
      const link = this.linkTo(peer);
      if (link !== undefined) this.#internet.tell(this, link, message);
    }
  }

  onPublished(handler: (from: PeerKey, message: Uint8Array) => void): void {
    this.#published = handler;
  }

  hear(from: PeerKey, message: Uint8Array): void {
    this.#published?.(from, message);
  }

  async ping(peer: PeerKey): Promise<number> {
    if (!this.#links.has(peer)) throw unreachable(peer);
    return 1;
  }

  async findAddresses(peer: PeerKey): Promise<readonly string[]> {
    return this.#internet.lookUp(peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of [...this.#links.keys()]) await this.disconnect(peer);
    this.life.isAlive = false;
  }
}

/** The other end of a connection. */
export function farEnd({ ends }: Link, end: SimNetwork): SimNetwork {
  return ends[0] === end ? ends[1] : ends[0];
}

export function unreachable(what: string): HoldfastError {
  return new HoldfastError('peer-unreachable', `${what.slice(0, 24)} cannot be reached`);
}

function ignoreFailure(error: unknown): void {
  // Who is away is dialled again in the next period.
  if (!(error instanceof HoldfastError)) throw error;
}
