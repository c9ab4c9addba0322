import { minuteMs, secondMs } from '../../base/units.ts';
import type { PeerKey } from '../../core/ids.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { Log } from '../../ports/runtime.ts';

export type Kept = { readonly peer: PeerKey; readonly addresses: readonly string[] };

/** What the keeper needs of the network. */
export type Reach = {
  isConnected(peer: PeerKey): boolean;
  /** Only through another member. */
  isRelayed(peer: PeerKey): boolean;
  connectDirectly(peer: PeerKey, addresses: readonly string[], signal: AbortSignal): Promise<void>;
  connect(peer: PeerKey, addresses: readonly string[], signal: AbortSignal): Promise<void>;
  /** Addresses that the peer itself has told before. */
  storedAddresses(peer: PeerKey): Promise<readonly string[]>;
  findAddresses(peer: PeerKey, signal: AbortSignal): Promise<readonly string[]>;
};

type State = {
  addresses: readonly string[];
  failures: number;
  nextAtMs: number;
  /** When a direct way is looked for again. */
  directAtMs: number;
  isDialling: boolean;
};

const backoffMaxMs = 30 * secondMs;
/** A relayed connection works; a better one can wait. */
const directPeriodMs = 5 * minuteMs;
/** Dials at once: after a cut of its line an agent has everybody to dial. */
const dialsMax = 8;
/** The DHT is asked on every such failure: it costs other members messages. */
const lookupPeriod = 3;

/**
 * Redials kept peers that are not connected: at the addresses in the member list, then at those the peer was last
 * seen with, then where other members know it. Two agents that dial each other at once get two connections.
 */
export class Keeper implements Disposable {
  readonly #reach: Reach;
  readonly #log: Log;
  readonly #periodMs: number;
  readonly #states = new Map<PeerKey, State>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #dials = 0;

  constructor(reach: Reach, options: { log: Log; periodMs: number }) {
    this.#reach = reach;
    this.#log = options.log;
    this.#periodMs = options.periodMs;
  }

  /** Replaces the list. */
  keep(peers: readonly Kept[]): void {
    if (this.#stop.signal.aborted) return;
    const kept = new Set(peers.map(({ peer }) => peer));
    for (const peer of this.#states.keys()) if (!kept.has(peer)) this.#states.delete(peer);
    for (const { peer, addresses } of peers) {
      const state = this.#states.get(peer);
      if (state !== undefined && sameList(state.addresses, addresses)) continue;
      const isDialling = state?.isDialling ?? false;
      this.#states.set(peer, { addresses, failures: 0, nextAtMs: 0, directAtMs: 0, isDialling });
    }
    this.#round();
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error('the network is closing'));
    clearTimeout(this.#timer);
    this.#states.clear();
  }

  #round(): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted || this.#states.size === 0) return;
    // Jitter: agents that lost each other at the same moment should not dial in step.
    this.#timer = setTimeout(() => this.#round(), this.#periodMs * (0.75 + Math.random() / 2));
    for (const [peer, state] of this.#states) {
      if (state.isDialling) continue;
      if (this.#reach.isConnected(peer)) {
        state.failures = 0;
        state.nextAtMs = 0;
        if (this.#reach.isRelayed(peer)) this.#lookForDirect(peer, state);
      } else if (performance.now() >= state.nextAtMs && this.#dials < dialsMax) {
        void this.#dial(peer, state);
      }
    }
  }

  #lookForDirect(peer: PeerKey, state: State): void {
    if (performance.now() < state.directAtMs || this.#dials >= dialsMax) return;
    state.directAtMs = performance.now() + directPeriodMs * (0.75 + Math.random() / 2);
    this.#dials += 1;
    this.#reach
      .connectDirectly(peer, state.addresses, this.#stop.signal)
      .catch((error: unknown) => {
        this.#log.log('debug', networkMessages.noDirectWay, { peer, error });
      })
      .finally(() => {
        this.#dials -= 1;
      });
  }

  async #dial(peer: PeerKey, state: State): Promise<void> {
    state.isDialling = true;
    this.#dials += 1;
    try {
      await this.#tryAddresses(peer, state);
    } catch (error) {
      this.#log.log('debug', networkMessages.memberNotYetConnected, { peer, error });
    } finally {
      this.#dials -= 1;
      // Also after a success: a peer that cuts us at once must not be dialled in a loop. A round that finds
      // it connected forgets the failure.
      state.failures += 1;
      const delayMs = Math.min(backoffMaxMs, this.#periodMs * 2 ** (state.failures - 1));
      state.nextAtMs = performance.now() + delayMs * (0.5 + Math.random() / 2);
      state.isDialling = false;
      const current = this.#states.get(peer);
      if (current !== undefined) current.isDialling = false;
    }
  }

  async #tryAddresses(peer: PeerKey, state: State): Promise<void> {
    const { signal } = this.#stop;
    const tried = new Set<string>();
    const attempt = async (addresses: readonly string[]): Promise<boolean> => {
      const fresh = addresses.filter((address) => !tried.has(address));
      for (const address of fresh) tried.add(address);
      if (fresh.length > 0 && !this.#reach.isConnected(peer)) {
        await this.#reach.connect(peer, fresh, signal);
      }
      return this.#reach.isConnected(peer);
    };
    const sources = [
      async () => state.addresses,
      () => this.#reach.storedAddresses(peer),
      ...(state.failures % lookupPeriod === lookupPeriod - 1
        ? [() => this.#reach.findAddresses(peer, signal)]
        : []),
    ];
    let failure: unknown;
    for (const source of sources) {
      signal.throwIfAborted();
      try {
        if (await attempt(await source())) return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? new Error('no address is known');
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
