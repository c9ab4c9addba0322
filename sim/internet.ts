import { HoldfastError } from '../src/core/errors.ts';
import type { PeerKey } from '../src/core/ids.ts';
import { farEnd, type Link, type SimNetwork, unreachable } from './network.ts';
import type { Prng } from './prng.ts';
import type { World } from './world.ts';

/** A dial that nobody answers gives up after this. */
const dialTimeoutMs = 5000;

/** What lies between all hosts: delay, loss, and ways that are cut, each direction by itself. */
export class Internet {
  readonly world: World;
  readonly random: Prng;
  readonly #ends = new Map<PeerKey, SimNetwork>();
  readonly #cuts = new Set<string>();
  delayMs = { min: 1, max: 40 };
  /** Of a thousand messages. */
  lossPerMille = 0;
  /** Of a thousand announcements. */
  doublePerMille = 0;
  #linkCount = 0;

  constructor(world: World) {
    this.world = world;
    this.random = world.random.fork();
  }

  /** The newest run of a host is the one that others reach. */
  attach(end: SimNetwork): void {
    this.#ends.set(end.self, end);
  }

  #endOf(peer: PeerKey): SimNetwork | undefined {
    const end = this.#ends.get(peer);
    return end?.life.isAlive === true ? end : undefined;
  }

  ownerOf(address: string): PeerKey | undefined {
    for (const end of this.#ends.values()) {
      if (end.life.isAlive && end.addresses().includes(address)) return end.self;
    }
    return undefined;
  }

  /** Where the DHT believes a peer is. */
  lookUp(peer: PeerKey): readonly string[] {
    return this.#endOf(peer)?.addresses() ?? [];
  }

  /** Messages from `from` no longer reach `to`; the other direction is not touched. */
  cut(from: PeerKey, to: PeerKey): void {
    this.#cuts.add(from + to);
  }

  mend(from: PeerKey, to: PeerKey): void {
    this.#cuts.delete(from + to);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  #isCut(from: SimNetwork, to: SimNetwork): boolean {
    return this.#cuts.has(from.self + to.self);
  }

  /** Both ends know of it, and messages pass both ways. */
  isWhole(link: Link): boolean {
    const [a, b] = link.ends;
    return a.has(link) && b.has(link) && !this.#isCut(a, b) && !this.#isCut(b, a);
  }

  #delay(): number {
    return this.random.between(this.delayMs.min, this.delayMs.max);
  }

  /** Carries something one way, unless it is lost on the way. */
  #carry(from: SimNetwork, to: SimNetwork, arrive: () => void, onLoss?: () => void): void {
    const isLost = this.random.chance(this.lossPerMille);
    this.world.after(this.#delay(), () => {
      const isCut = this.#isCut(from, to);
      if (!isLost && !isCut && to.life.isAlive) return arrive();
      this.world.meet(isCut ? 'message lost where the way was cut' : 'message lost');
      onLoss?.();
    });
  }

  /** @throws HoldfastError peer-unreachable | peer-refused */
  dial(
    from: SimNetwork,
    { peer, addresses }: { peer: PeerKey; addresses: readonly string[] },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const to = this.#endOf(peer);
      const isThere = to?.addresses().some((address) => addresses.includes(address)) === true;
      this.world.after(dialTimeoutMs, () => {
        if (from.life.isAlive) reject(unreachable(peer));
      });
      if (to === undefined || !isThere) return;
      this.#carry(from, to, () => this.#accept(from, to, { resolve, reject }));
    });
  }

  #accept(
    from: SimNetwork,
    to: SimNetwork,
    { resolve, reject }: { resolve: () => void; reject: (error: HoldfastError) => void },
  ): void {
    const isAdmitted = to.admits(from.self);
    const link: Link = { number: ++this.#linkCount, ends: [from, to] };
    if (isAdmitted) to.open(link);
    this.#carry(to, from, () => {
      this.world.note(`${from.name} -> ${to.name} ${isAdmitted ? 'connected' : 'refused'}`);
      if (isAdmitted) from.open(link);
      else return reject(new HoldfastError('peer-refused', 'the peer has closed the connection'));
      resolve();
    });
  }

  /** One end closes a connection; the other hears of it, if it can. */
  close(end: SimNetwork, link: Link): void {
    end.drop(link);
    const other = farEnd(link, end);
    this.#carry(end, other, () => other.drop(link));
  }

  /** Brings a request to the far end, has it answered there, and the answer back. */
  request(
    from: SimNetwork,
    call: { link: Link; request: Uint8Array; resolve: (answer: Uint8Array) => void },
  ): void {
    const { link } = call;
    const to = farEnd(link, from);
    const request = call.request.slice();
    const arrive = (): void => {
      // The far end has lost the connection, or has started anew.
      if (!to.has(link)) {
        this.#carry(to, from, () => from.drop(link));
        return;
      }
      void to.answer(link, request).then((answer) => {
        if (answer === undefined) return;
        const copy = answer.slice();
        this.world.note(`${to.name} answers ${from.name}: ${copy.length} bytes`);
        this.#carry(
          to,
          from,
          () => from.has(link) && call.resolve(copy),
          () => {
            this.world.meet('answer lost after the request was done');
            this.lost(link);
          },
        );
      });
    };
    this.#carry(from, to, arrive, () => this.lost(link));
  }

  /** A request or an answer of this connection has not arrived. Here that is forgotten. */
  protected lost(_link: Link): void {}

  /** An announcement, which may be lost or arrive twice. */
  tell(from: SimNetwork, link: Link, message: Uint8Array): void {
    const to = farEnd(link, from);
    const copies = this.random.chance(this.doublePerMille) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const copy = message.slice();
      this.#carry(from, to, () => {
        if (to.has(link)) to.hear(from.self, copy);
      });
    }
  }

  /** The host is gone: the far ends of its connections learn of it, some soon, others by their heartbeat. */
  crash(end: SimNetwork): void {
    for (const other of this.#ends.values()) {
      const link = other.linkTo(end.self);
      if (link === undefined || !this.random.chance(500)) continue;
      this.#carry(end, other, () => other.drop(link));
    }
  }
}
