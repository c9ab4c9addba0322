import type { Server, Socket } from 'node:net';
import { concat, toHex } from '../../base/bytes.ts';
import { secondMs } from '../../base/units.ts';
import type { PeerKey } from '../../core/ids.ts';
import {
  beginsBulk,
  type BulkTicket,
  helloSize,
  keysOf,
  newTicket,
  ticketNameIn,
  welcome,
} from './bulk-ticket.ts';
import { SealedSocket } from './sealed-socket.ts';
import { pullStreamsMax } from './stream-limits.ts';

/** A caller says at once what it wants; whoever says nothing costs a descriptor. */
const helloMs = 10 * secondMs;
const silentMax = 256;
const ticketMs = 30 * secondMs;
/** Of one peer: twice, as for streams of a restarted client. */
const linesMax = 2 * pullStreamsMax;

type Issued = {
  readonly peer: PeerKey;
  readonly ticket: BulkTicket;
  readonly timer: NodeJS.Timeout;
};

/**
 * Stands before the sockets that a server accepts: bulk lines of those who hold a ticket go to `accept`, everything
 * else to whoever listened before. A ticket was given to a member over its authenticated connection, opens one
 * socket, and soon.
 */
export class BulkDoor implements Disposable {
  readonly #accept: (line: SealedSocket, peer: PeerKey) => void;
  readonly #issued = new Map<string, Issued>();
  readonly #lines = new Map<PeerKey, Set<SealedSocket>>();
  readonly #silent = new Set<Socket>();
  #isClosed = false;

  constructor(accept: (line: SealedSocket, peer: PeerKey) => void) {
    this.#accept = accept;
  }

  /** The oldest ticket that the peer has not used makes room. */
  issue(peer: PeerKey): BulkTicket {
    const unused = [...this.#issued].filter(([, issued]) => issued.peer === peer);
    for (const [name] of unused.slice(0, 1 + unused.length - linesMax)) this.#take(name);
    const ticket = newTicket();
    const name = toHex(ticket.name);
    const timer = setTimeout(() => this.#issued.delete(name), ticketMs).unref();
    this.#issued.set(name, { peer, ticket, timer });
    return ticket;
  }

  guard(server: Server): void {
    const takers = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket) => {
      this.#look(socket, () => {
        for (const take of takers) take.call(server, socket);
      });
    });
  }

  /** Ends the lines of a peer that has gone, and forgets what it was given. */
  cut(peer: PeerKey, cause: Error): void {
    for (const line of this.#lines.get(peer) ?? []) line.abort(cause);
    for (const [name, issued] of this.#issued) if (issued.peer === peer) this.#take(name);
  }

  #look(socket: Socket, giveOn: () => void): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    if (this.#silent.size >= silentMax) {
      giveOn();
      return;
    }
    let seen: Uint8Array = new Uint8Array(0);
    const timer = setTimeout(() => socket.destroy(), helloMs);
    const onError = (): void => {
      socket.destroy();
    };
    const onData = (bytes: Uint8Array): void => {
      seen = concat([seen, bytes]);
      const isBulk = beginsBulk(seen);
      if (isBulk && seen.length < helloSize) return;
      leave();
      socket.pause();
      if (isBulk) this.#open(socket, seen);
      else {
        socket.unshift(seen);
        giveOn();
      }
      socket.resume();
    };
    const leave = (): void => {
      clearTimeout(timer);
      this.#silent.delete(socket);
      socket.off('data', onData).off('error', onError).off('close', leave);
    };
    this.#silent.add(socket);
    socket.on('data', onData).on('error', onError).on('close', leave);
  }

  #open(socket: Socket, seen: Uint8Array): void {
    const issued = this.#take(toHex(ticketNameIn(seen)));
    const lines = issued === undefined ? undefined : this.#linesOf(issued.peer);
    if (issued === undefined || lines === undefined || lines.size >= linesMax) {
      socket.destroy();
      return;
    }
    if (seen.length > helloSize) socket.unshift(seen.subarray(helloSize));
    const line = new SealedSocket(socket, keysOf(issued.ticket, 'called'));
    lines.add(line);
    line.addEventListener('close', () => lines.delete(line));
    line.send(welcome);
    this.#accept(line, issued.peer);
  }

  #linesOf(peer: PeerKey): Set<SealedSocket> {
    const known = this.#lines.get(peer) ?? new Set();
    this.#lines.set(peer, known);
    return known;
  }

  #take(name: string): Issued | undefined {
    const issued = this.#issued.get(name);
    clearTimeout(issued?.timer);
    this.#issued.delete(name);
    return issued;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    const cause = new Error('the network is closing');
    for (const peer of this.#lines.keys()) this.cut(peer, cause);
    for (const name of [...this.#issued.keys()]) this.#take(name);
    for (const socket of this.#silent) socket.destroy();
  }
}
