import type { Socket } from 'node:net';
import { StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { releaseResult } from '../../base/bytes.ts';
import { MiB } from '../../base/units.ts';
import type { ByteStream } from './byte-stream.ts';
import { RecordOpener, RecordSealer, recordSizeMax } from './sealed-records.ts';

/** Keys of the two directions, 32 bytes each, of one socket and no other. */
export type SocketKeys = { readonly own: Uint8Array; readonly peer: Uint8Array };

type Listener = Parameters<EventTarget['addEventListener']>[1];

/** Bytes that wait for a slow socket before the writer is told to wait. */
const writeBufferMax = 1 * MiB;
const nothing = new Uint8Array(0);

/**
 * A TCP socket of two members that have agreed on its keys over their connection. It bears what a libp2p stream
 * does, without the layers between. The last record of each side is empty: so an end is told from a cut.
 */
export class SealedSocket implements ByteStream {
  readonly #events = new EventTarget();
  readonly #socket: Socket;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  status: ByteStream['status'] = 'open';
  readableEnded = false;
  readonly isGivingAway = true;
  readonly isCopying = true;
  /** What has arrived is given out at once, or waits in the socket. */
  readonly readBufferLength = 0;

  /** @param options.isFed the socket's bytes come through `receive`, not as its events */
  constructor(socket: Socket, keys: SocketKeys, options: { readonly isFed?: boolean } = {}) {
    this.#socket = socket;
    this.#sealer = new RecordSealer(keys.own);
    this.#opener = new RecordOpener(keys.peer, (content) => this.#deliver(content));
    socket.setNoDelay(true);
    if (options.isFed !== true) socket.on('data', (bytes) => this.receive(bytes));
    socket.on('error', (error) => this.#close('reset', error));
    socket.on('close', () => this.#close('reset', new Error('the line was cut')));
  }

  readonly addEventListener: ByteStream['addEventListener'] = (type, listener, options) => {
    this.#events.addEventListener(type, listener as Listener, options);
  };

  readonly removeEventListener: ByteStream['removeEventListener'] = (
    type: string,
    listener?: unknown,
  ): void => {
    this.#events.removeEventListener(type, listener as Listener);
  };

  get writeBufferLength(): number {
    return this.#socket.writableLength;
  }

  /** @returns whether more can be sent now; else 'drain' follows. @throws Error when it has been closed */
  send(bytes: Parameters<ByteStream['send']>[0]): boolean {
    if (this.status !== 'open') throw new Error('the line has been closed');
    for (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) {
      for (let at = 0; at < piece.length; at += recordSizeMax) {
        this.#write(piece.subarray(at, at + recordSizeMax));
      }
    }
    return this.writeBufferLength <= writeBufferMax;
  }

  #write(content: Uint8Array): void {
    const pieces = this.#sealer.seal(content);
    if (pieces.length > 1) this.#socket.cork();
    for (const piece of pieces.slice(0, -1)) this.#socket.write(piece);
    this.#socket.write(pieces.at(-1) as Uint8Array, (error) => {
      // After a failure the system may still be reading them.
      if (!error) for (const piece of pieces) releaseResult(piece);
      this.#events.dispatchEvent(new Event('drain'));
    });
    if (pieces.length > 1) this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says that this side has said everything; what the other side still says arrives. */
  async close(): Promise<void> {
    if (this.status !== 'open') return;
    this.#write(nothing);
    this.status = 'closing';
    this.#finishIfDone();
  }

  abort(error: Error): void {
    this.#close('aborted', error);
  }

  /** Bytes that have arrived; they are the caller's again afterwards. */
  receive(bytes: Uint8Array): void {
    try {
      this.#opener.push(bytes);
    } catch (error) {
      this.abort(error as Error);
    }
  }

  #deliver(content: readonly Uint8Array[]): void {
    if (this.readableEnded) throw new Error('a record after the last one');
    for (const part of content) this.#events.dispatchEvent(new StreamMessageEvent(part));
    if (content.length > 0) return;
    this.readableEnded = true;
    this.#events.dispatchEvent(new Event('end'));
    this.#finishIfDone();
  }

  /** Both sides have said everything. */
  #finishIfDone(): void {
    if (this.status !== 'closing' || !this.readableEnded) return;
    // The far end might keep its half open for ever.
    this.#socket.destroySoon();
    this.#close('closed', undefined);
  }

  #close(status: 'closed' | 'aborted' | 'reset', error: Error | undefined): void {
    const isOver = this.status !== 'open' && this.status !== 'closing';
    if (isOver) return;
    this.status = status;
    if (error !== undefined) this.#socket.destroy();
    this.#events.dispatchEvent(new StreamCloseEvent(status !== 'reset', error));
  }
}
