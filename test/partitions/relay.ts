import dgram from 'node:dgram';
import { relayAddress, relayPort, underlayOf } from './namespaces.ts';
import type { Cut } from './partition.ts';

/** What the way between any two hosts is like. */
export type Weather = {
  /** Of each frame, one way. */
  readonly delayMs: number;
  /** Up to so much more. */
  readonly jitterMs: number;
  /** Of frames that never arrive: 0 to 1. */
  readonly loss: number;
};

export type RelayOrder = { readonly weather: Weather; readonly cuts: readonly Cut[] };

// A VXLAN header (RFC 7348), then the frame: receiver's and sender's hardware address.
const headerSize = 8;
const macSize = 6;
const hostsMax = 16;
const bufferSize = 8 * 1024 * 1024;

/**
 * A switch made of datagrams: every host sends its frames here, and they go on to whom they are for, later or
 * never. A process of its own, so that nothing but the weather makes frames late.
 */
class Relay {
  readonly #socket = dgram.createSocket('udp4');
  readonly #hostOf = new Map<string, number>();
  /** Where a hardware address was last seen. */
  readonly #seen = new Map<string, number>();
  /** Frames between two hosts keep their order, as on a real way. */
  readonly #dueMs = new Map<number, number>();
  #order: RelayOrder = { weather: { delayMs: 0, jitterMs: 0, loss: 0 }, cuts: [] };
  #cuts = new Set<number>();

  constructor(hosts: number) {
    for (let host = 0; host < hosts; host++) this.#hostOf.set(underlayOf(host), host);
  }

  open(): Promise<void> {
    this.#socket.on('message', (datagram, { address }) => this.#take(datagram, address));
    return new Promise((resolve) => {
      this.#socket.bind({ port: relayPort, address: relayAddress }, () => {
        this.#socket.setRecvBufferSize(bufferSize);
        this.#socket.setSendBufferSize(bufferSize);
        resolve();
      });
    });
  }

  obey(order: RelayOrder): void {
    this.#order = order;
    this.#cuts = new Set(order.cuts.map(({ from, to }) => wayOf(from, to)));
  }

  #take(datagram: Buffer, address: string): void {
    const from = this.#hostOf.get(address);
    if (from === undefined || datagram.length < headerSize + 2 * macSize) return;
    const receiver = datagram.toString('hex', headerSize, headerSize + macSize);
    const sender = datagram.toString('hex', headerSize + macSize, headerSize + 2 * macSize);
    this.#seen.set(sender, from);
    const to = this.#seen.get(receiver);
    // What is for everybody, or for somebody unknown, goes to all others.
    const all = to === undefined ? [...this.#hostOf.values()] : [to];
    for (const host of all) if (host !== from) this.#forward(datagram, from, host);
  }

  #forward(datagram: Buffer, from: number, to: number): void {
    const way = wayOf(from, to);
    const { delayMs, jitterMs, loss } = this.#order.weather;
    if (this.#cuts.has(way) || Math.random() < loss) return;
    const send = (): void => this.#socket.send(datagram, relayPort, underlayOf(to));
    if (delayMs + jitterMs === 0) {
      send();
      return;
    }
    const nowMs = performance.now();
    const wishedMs = nowMs + delayMs + Math.random() * jitterMs;
    const dueMs = Math.max(wishedMs, this.#dueMs.get(way) ?? 0);
    this.#dueMs.set(way, dueMs);
    setTimeout(send, dueMs - nowMs);
  }
}

function wayOf(from: number, to: number): number {
  return from * hostsMax + to;
}

if (process.send !== undefined) {
  const relay = new Relay(Number(process.argv[2]));
  process.on('message', (order: RelayOrder) => relay.obey(order));
  // Whoever started it has gone.
  process.on('disconnect', () => process.exit(0));
  await relay.open();
  process.send('open');
}
