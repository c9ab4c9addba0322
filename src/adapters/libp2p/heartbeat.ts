import type { Connection } from '@libp2p/interface';
import { secondMs } from '../../base/units.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { Log } from '../../ports/runtime.ts';
import { probe } from './probe.ts';

export type Pace = {
  readonly periodMs: number;
  /** How long one ping may take. */
  readonly patienceMs: number;
};

/** A ping waits behind bulk data on a slow line, and behind a busy event loop. */
const usualPace: Pace = { periodMs: 10 * secondMs, patienceMs: 30 * secondMs };
const missesMax = 2;

/**
 * Cuts connections whose far end has gone without a word, as when a host loses power: TCP alone would hold them
 * for a quarter of an hour, and calls would time out on them meanwhile. libp2p's own monitor gives up after a
 * single ping of 5 s, which a host under load misses.
 */
export class Heartbeat implements Disposable {
  readonly #connections: () => readonly Connection[];
  readonly #log: Log;
  readonly #patienceMs: number;
  readonly #states = new WeakMap<Connection, { isPinging: boolean; misses: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    connections: () => readonly Connection[],
    log: Log,
    { periodMs, patienceMs } = usualPace,
  ) {
    this.#connections = connections;
    this.#log = log;
    this.#patienceMs = patienceMs;
    this.#timer = setInterval(() => this.#beat(), periodMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    for (const connection of this.#connections()) {
      if (connection.status === 'open') void this.#check(connection);
    }
  }

  async #check(connection: Connection): Promise<void> {
    const state = this.#states.get(connection) ?? { isPinging: false, misses: 0 };
    this.#states.set(connection, state);
    if (state.isPinging) return;
    state.isPinging = true;
    try {
      await probe(connection, { timeoutMs: this.#patienceMs });
      state.misses = 0;
    } catch (error) {
      state.misses += 1;
      if (state.misses >= missesMax && connection.status === 'open') {
        const peer = connection.remotePeer.toString();
        this.#log.log('info', networkMessages.silentConnectionCut, { peer, error });
        connection.abort(new Error('the peer does not answer pings'));
      }
    } finally {
      state.isPinging = false;
    }
  }
}
