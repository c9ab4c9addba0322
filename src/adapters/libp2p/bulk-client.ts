import { connect, type Socket } from 'node:net';
import type { Connection } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { equal } from '../../base/bytes.ts';
import { KiB, minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { type PeerKey, shortId } from '../../core/ids.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { Log } from '../../ports/runtime.ts';
import { isRelayed } from './address.ts';
import {
  type BulkTicket,
  decodeTicket,
  helloOf,
  keysOf,
  ticketSize,
  welcome,
} from './bulk-ticket.ts';
import { Deadline } from './deadline.ts';
import { reasonOf, unreachable } from './failure.ts';
import { SealedSocket } from './sealed-socket.ts';
import { finish, StreamReader } from './stream-io.ts';
import { finishMs, messageIdleMs } from './stream-limits.ts';

/** One of them leads to the peer, and soon, or the streams of the connection have to do. */
const placesMax = 3;
const dialMs = 3 * secondMs;
/** Of what is read from a socket at once, in bytes. */
const readSize = 256 * KiB;
/** A peer to which no line could be opened is not tried again for this long. */
const avoidMs = 5 * minuteMs;

export type BulkClientOptions = {
  /** The protocol at which tickets are given out. */
  readonly protocol: string;
  /** The connection to use. @throws HoldfastError peer-unreachable */
  readonly connectionTo: (peer: PeerKey) => Connection;
  /** Addresses that the peer has told. */
  readonly storedAddresses: (peer: PeerKey) => Promise<readonly string[]>;
  readonly log: Log;
};

type Place = { readonly host: string; readonly port: number };

/** Opens bulk lines to members that are connected directly. */
export class BulkClient {
  readonly #options: BulkClientOptions;
  readonly #avoidUntilMs = new Map<PeerKey, number>();

  constructor(options: BulkClientOptions) {
    this.#options = options;
  }

  /**
   * @returns undefined when no line can be had: the peer is behind a relay, does not know of lines, or cannot be
   * dialled from here. @throws HoldfastError peer-unreachable (not connected)
   */
  async open(peer: PeerKey): Promise<SealedSocket | undefined> {
    const connection = this.#options.connectionTo(peer);
    if ((this.#avoidUntilMs.get(peer) ?? 0) > performance.now()) return undefined;
    if (!connection.direct) return undefined;
    try {
      return await this.#openOver(connection, peer);
    } catch (error) {
      this.#avoidUntilMs.set(peer, performance.now() + avoidMs);
      const reason = reasonOf(error);
      this.#options.log.log('debug', networkMessages.noBulkLine, { peer: shortId(peer), reason });
      return undefined;
    }
  }

  /** The peer has gone: when it is back, all may be different. */
  forget(peer: PeerKey): void {
    this.#avoidUntilMs.delete(peer);
  }

  async #openOver(connection: Connection, peer: PeerKey): Promise<SealedSocket> {
    const places = await this.#places(connection, peer);
    const ticket = await this.#ticket(connection);
    let failure: unknown = new Error('no address of it is known');
    for (const place of places) {
      try {
        return await welcomed(await dial(place), ticket);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** Where this host has reached the peer, else where the peer says that it can be reached. */
  async #places(connection: Connection, peer: PeerKey): Promise<Place[]> {
    const { direction, remoteAddr } = connection;
    const told = await this.#options.storedAddresses(peer);
    const proved = direction === 'outbound' ? [remoteAddr] : [];
    const places = [...proved, ...told.map((address) => multiaddr(address))].flatMap(placeOf);
    const distinct = new Map(places.map((place) => [`${place.host} ${place.port}`, place]));
    return [...distinct.values()].slice(0, placesMax);
  }

  async #ticket(connection: Connection): Promise<BulkTicket> {
    using deadline = new Deadline({ ms: messageIdleMs, what: 'asking for a bulk line' });
    const stream = await connection.newStream(this.#options.protocol, { signal: deadline.signal });
    using reader = new StreamReader(stream);
    try {
      return decodeTicket(await reader.readExactly(ticketSize, messageIdleMs));
    } finally {
      await finish(stream, reader, finishMs);
    }
  }
}

/** TCP without a relay; nothing else can be dialled. */
function placeOf(address: Multiaddr): Place[] {
  const [first, second] = address.getComponents();
  const isHost = first !== undefined && /^(ip4|ip6|dns|dns4|dns6)$/.test(first.name);
  if (!isHost || second?.name !== 'tcp' || isRelayed(address)) return [];
  return [{ host: first.value ?? '', port: Number(second.value) }];
}

type Dialled = {
  readonly socket: Socket;
  /** Told of all that arrives. */
  take: (bytes: Uint8Array) => void;
};

async function dial({ host, port }: Place): Promise<Dialled> {
  // Until it has been greeted it has nothing to say.
  const dialled: Pick<Dialled, 'take'> = { take: () => {} };
  // One buffer for all that arrives: it is opened into others at once.
  const onread = {
    buffer: new Uint8Array(readSize),
    callback: (size: number, buffer: Uint8Array): boolean => {
      dialled.take(buffer.subarray(0, size));
      return true;
    },
  };
  const socket = connect({ host, port, onread });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('the dial took too long')), dialMs);
  socket.once('connect', resolve).once('error', reject);
  try {
    await promise;
    return Object.assign(dialled, { socket });
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off('error', reject);
  }
}

/** Only the peer that gave the ticket can make the first record. */
async function welcomed(dialled: Dialled, ticket: BulkTicket): Promise<SealedSocket> {
  const { socket } = dialled;
  const line = new SealedSocket(socket, keysOf(ticket, 'caller'), { isFed: true });
  dialled.take = (bytes) => line.receive(bytes);
  socket.write(helloOf(ticket));
  using reader = new StreamReader(line);
  try {
    const first = await reader.readExactly(welcome.length, dialMs);
    if (!equal(first, welcome)) throw new Error('it does not begin as it should');
    return line;
  } catch (error) {
    line.abort(error as Error);
    if (codeOf(error) === 'corrupt') throw error;
    throw unreachable('a bulk line was not accepted', error);
  }
}
