import type { StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { assert } from '../../base/assert.ts';
import { releaseResult } from '../../base/bytes.ts';
import { uncleared } from '../../base/uncleared.ts';
import { KiB, MiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ByteStream } from './byte-stream.ts';
import { Deadline } from './deadline.ts';
import { errorOf, unreachable } from './failure.ts';

// js-libp2p 3 leaves flow control to the user of a stream: send() queues without limit, readers are not held
// back, and onDrain() resolves only the first time. This file is the only place that touches either side.

/** Larger pieces than the window leave their rest in memory of the stream, out of our sight. */
const pieceSize = 256 * KiB;
/** Bytes that a stream may hold for a slow socket before the writer waits. */
const writeBufferMax = 1 * MiB;
/** Above this the reader pauses the stream; the peer's window runs out and it stops. */
const readBufferHigh = 1 * MiB;
const readBufferLow = 256 * KiB;
/** Parts kept, however small: a peer that sends single bytes must not cost a hundred times their size. */
const readPartsMax = 4096;

/** Waits for the peer to take the bytes, all but about 1 MiB. The stream refers to `bytes` until they are sent. */
export async function writeAll(
  stream: ByteStream,
  bytes: Uint8Array,
  idleMs: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceSize) {
    if (send(stream, bytes.subarray(at, at + pieceSize))) continue;
    await drained(stream, idleMs);
  }
}

/** A frame: 4-byte big-endian length, then the bytes. */
export async function writeFrame(
  stream: ByteStream,
  bytes: Uint8Array,
  idleMs: number,
): Promise<void> {
  await writeAll(stream, framed(bytes), idleMs);
}

/** The bytes of a frame. */
export function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setUint32(0, bytes.length);
  frame.set(bytes, 4);
  return frame;
}

function send(stream: ByteStream, piece: Uint8Array): boolean {
  try {
    return stream.send(piece);
  } catch (error) {
    throw unreachable('cannot write to the peer', error);
  }
}

/** 'drain' only hints: it fires for each window update and each socket drain, of whichever stream. */
function drained(stream: ByteStream, idleMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let waiting = stream.writeBufferLength;
  const onIdle = (): void => reject(idle('took', idleMs));
  let timer = setTimeout(onIdle, idleMs);
  const onDrain = (): void => {
    // The stream sends on in a microtask that was queued before this one.
    queueMicrotask(() => {
      if (stream.writeBufferLength < waiting) {
        waiting = stream.writeBufferLength;
        clearTimeout(timer);
        timer = setTimeout(onIdle, idleMs);
      }
      if (stream.writeBufferLength <= writeBufferMax) resolve();
    });
  };
  const onClose = (event: StreamCloseEvent): void => reject(closed(event.error));
  stream.addEventListener('drain', onDrain);
  stream.addEventListener('close', onClose);
  if (stream.status !== 'open') reject(closed(undefined));
  return promise.finally(() => {
    clearTimeout(timer);
    stream.removeEventListener('drain', onDrain);
    stream.removeEventListener('close', onClose);
  });
}

/** Reads a stream with a bounded buffer. Must exist before the peer's first bytes are waited for. */
export class StreamReader implements Disposable {
  readonly #stream: ByteStream;
  readonly #parts: Uint8Array[] = [];
  #size = 0;
  #isPaused = false;
  #isEnded: boolean;
  #error: Error | undefined;
  #isDisposed = false;
  #isReading = false;
  #wake: (() => void) | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    this.#isEnded = stream.readableEnded || stream.status !== 'open';
    stream.addEventListener('end', this.#onEnd);
    stream.addEventListener('close', this.#onClose);
    stream.addEventListener('message', this.#onMessage);
  }

  /**
   * The next `size` bytes, in an array of their own.
   * @throws HoldfastError peer-unreachable when the stream ends before, timeout when nothing comes for `idleMs`
   */
  async readExactly(size: number, idleMs: number): Promise<Uint8Array> {
    const bytes = uncleared(size);
    let filled = this.#take(bytes, 0);
    while (filled < size) {
      if (!(await this.#more(idleMs))) throw closed(this.#error);
      filled = this.#take(bytes, filled);
    }
    return bytes;
  }

  /**
   * The content of the next frame, or undefined when the stream ends before one begins.
   * @throws HoldfastError limit-exceeded above `sizeMax`; peer-unreachable and timeout as readExactly
   */
  async readFrame(bounds: {
    sizeMax: number;
    idleMs: number;
    /** For the frame's first byte, when the peer may take its time. */
    firstMs?: number;
  }): Promise<Uint8Array | undefined> {
    if (await this.isAtEnd(bounds.firstMs ?? bounds.idleMs)) {
      if (this.#error !== undefined) throw closed(this.#error);
      return undefined;
    }
    const prefix = await this.readExactly(4, bounds.idleMs);
    const size = new DataView(prefix.buffer).getUint32(0);
    if (size > bounds.sizeMax) {
      throw new HoldfastError(
        'limit-exceeded',
        `a peer sent a message of ${size} bytes, allowed are ${bounds.sizeMax}`,
      );
    }
    return this.readExactly(size, bounds.idleMs);
  }

  /** Waits until there is a byte to read (false) or never will be (true). @throws HoldfastError timeout */
  async isAtEnd(idleMs: number): Promise<boolean> {
    return this.#size === 0 && !(await this.#more(idleMs));
  }

  /** Nothing has come that was not read, and the peer has not ended. */
  get isQuiet(): boolean {
    return this.#size === 0 && this.#stream.readBufferLength === 0 && !this.#isEnded;
  }

  /** A read under way ends as if the peer had. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#wake?.();
    this.#stream.removeEventListener('message', this.#onMessage);
    this.#stream.removeEventListener('end', this.#onEnd);
    this.#stream.removeEventListener('close', this.#onClose);
  }

  /** Moves buffered bytes to `target` from `at` on. @returns the place after them. */
  #take(target: Uint8Array, at: number): number {
    let filled = at;
    while (filled < target.length) {
      const part = this.#parts[0];
      if (part === undefined) break;
      const taken = part.subarray(0, target.length - filled);
      target.set(taken, filled);
      filled += taken.length;
      if (taken.length === part.length) this.#drop();
      else this.#parts[0] = part.subarray(taken.length);
    }
    this.#size -= filled - at;
    if (this.#size <= readBufferLow) this.#resume();
    return filled;
  }

  /** The first part, which has been copied. Its memory is given back at once: collections would come far more often. */
  #drop(): void {
    const part = this.#parts.shift();
    if (part !== undefined && this.#stream.isGivingAway === true) releaseResult(part);
  }

  /** Waits for bytes. @returns false when none will come. */
  async #more(idleMs: number): Promise<boolean> {
    assert(!this.#isReading, 'two reads of one stream at once');
    this.#isReading = true;
    try {
      this.#resume();
      while (this.#size === 0) {
        if (this.#isDisposed) return false;
        // Bytes read ahead by the protocol negotiation are pushed back after 'end' has been seen.
        if (this.#isEnded && this.#stream.readBufferLength === 0) return false;
        await this.#event(idleMs);
      }
      return true;
    } finally {
      this.#isReading = false;
    }
  }

  #event(idleMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        reject(idle('sent', idleMs));
      }, idleMs);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    const { data } = event;
    for (const part of data instanceof Uint8Array ? [data] : data) this.#parts.push(part);
    this.#size += data.byteLength;
    const isFull = this.#size >= readBufferHigh || this.#parts.length >= readPartsMax;
    if (isFull && !this.#isPaused) {
      this.#isPaused = true;
      // Not here: resume() delivers inside itself, and would then open the window of a paused stream.
      queueMicrotask(() => this.#pause());
    }
    this.#wake?.();
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#wake?.();
  };

  readonly #onClose = (event: StreamCloseEvent): void => {
    this.#isEnded = true;
    this.#error ??= event.error;
    this.#wake?.();
  };

  #pause(): void {
    if (!this.#isPaused) return;
    try {
      this.#stream.pause();
    } catch {
      // A stream that is closing has nothing left to hold back.
    }
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    try {
      this.#stream.resume();
    } catch {
      // As above: what it still holds has been delivered.
    }
  }
}

/**
 * Sees a stream to its end after both sides have said everything: a half-open stream stays in the muxer, which
 * allows a limited number. Bytes beyond the end of the conversation reset it.
 */
export async function finish(
  stream: ByteStream,
  reader: StreamReader,
  idleMs: number,
): Promise<void> {
  using deadline = new Deadline({ ms: idleMs, what: 'closing a stream' });
  try {
    await stream.close({ signal: deadline.signal });
    if (!(await reader.isAtEnd(idleMs))) throw new Error('the peer said more than it should');
  } catch (error) {
    stream.abort(errorOf(error));
  }
}

function closed(cause: Error | undefined): HoldfastError {
  if (cause === undefined) {
    return new HoldfastError('peer-unreachable', 'the peer ended the stream early');
  }
  return unreachable('the stream was cut', cause);
}

function idle(verb: string, ms: number): HoldfastError {
  return new HoldfastError('timeout', `the peer ${verb} nothing for ${ms} ms`);
}
