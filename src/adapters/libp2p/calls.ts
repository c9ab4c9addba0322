import type { Connection, Stream } from '@libp2p/interface';
import { abortable } from '../../base/abortable.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type PeerKey, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { Cancel, Log } from '../../ports/runtime.ts';
import { Deadline } from './deadline.ts';
import { errorOf, rethrowBug, unreachable } from './failure.ts';
import { finish, StreamReader, writeFrame } from './stream-io.ts';
import {
  callsRunningMax,
  callsStartedMax,
  callsWaitingMax,
  finishMs,
  messageIdleMs,
} from './stream-limits.ts';

export type CallHandler = (
  peer: PeerKey,
  request: Uint8Array,
  options: Cancel,
) => Promise<Uint8Array>;

/** Calls to others: one stream each, a framed request one way and a framed response the other. */
export class CallClient {
  readonly #protocol: string;
  readonly #slots = new WeakMap<Connection, Semaphore>();

  constructor(protocol: string) {
    this.#protocol = protocol;
  }

  /** @throws HoldfastError peer-unreachable | timeout | limit-exceeded */
  async call(
    connection: Connection,
    request: Uint8Array,
    options: { signal?: AbortSignal | undefined; timeoutMs: number; peer: PeerKey },
  ): Promise<Uint8Array> {
    refuseLong('a request', request);
    const what = `a call to peer ${shortId(options.peer)}`;
    using deadline = new Deadline({ ms: options.timeoutMs, what, signal: options.signal });
    try {
      const release = await this.#slot(connection, deadline.signal);
      try {
        return await this.#exchange(connection, request, deadline.signal);
      } finally {
        release();
      }
    } catch (error) {
      const reason = deadline.reasonOf(error);
      throw deadline.signal.aborted ? reason : unreachable(what, reason);
    }
  }

  async #exchange(
    connection: Connection,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const stream = await connection.newStream(this.#protocol, {
      signal,
      runOnLimitedConnection: true,
    });
    const onAbort = (): void => stream.abort(errorOf(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    const reader = new StreamReader(stream);
    try {
      if (signal.aborted) onAbort();
      await writeFrame(stream, request, messageIdleMs);
      await stream.close({ signal });
      const response = await reader.readFrame({
        sizeMax: limits.messageSizeMax,
        idleMs: messageIdleMs,
        // The handler may take all the time that the caller allows.
        firstMs: untilDeadlineMs,
      });
      if (response === undefined) throw new Error('the peer gave no answer');
      void finish(stream, reader, finishMs).finally(() => reader[Symbol.dispose]());
      return response;
    } catch (error) {
      stream.abort(errorOf(error));
      reader[Symbol.dispose]();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #slot(connection: Connection, signal: AbortSignal): Promise<() => void> {
    const slots = this.#slots.get(connection) ?? new Semaphore(callsStartedMax);
    this.#slots.set(connection, slots);
    const turn = slots.acquire();
    try {
      return await abortable(turn, signal);
    } catch (error) {
      void turn.then((release) => release());
      throw error;
    }
  }
}

/** Answers the calls of others, a bounded number at once for each peer. */
export class CallServer {
  readonly #log: Log;
  readonly #waiting = new Map<PeerKey, { slots: Semaphore; count: number }>();
  #handler: CallHandler | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  serve(handler: CallHandler): void {
    this.#handler = handler;
  }

  /** Takes a stream over. */
  accept(stream: Stream, peer: PeerKey): void {
    this.#answerInTurn(stream, peer).catch((error) => {
      stream.abort(errorOf(error));
      this.#log.log('debug', networkMessages.callNotAnswered, { peer, error });
      rethrowBug(error);
    });
  }

  async #answerInTurn(stream: Stream, peer: PeerKey): Promise<void> {
    using reader = new StreamReader(stream);
    const line = this.#waiting.get(peer) ?? { slots: new Semaphore(callsRunningMax), count: 0 };
    if (line.count >= callsRunningMax + callsWaitingMax) {
      throw new HoldfastError('limit-exceeded', 'a peer has too many calls under way');
    }
    this.#waiting.set(peer, line);
    line.count += 1;
    try {
      const release = await line.slots.acquire();
      try {
        await this.#answer(stream, peer, reader);
      } finally {
        release();
      }
    } finally {
      line.count -= 1;
      if (line.count === 0) this.#waiting.delete(peer);
    }
    await finish(stream, reader, finishMs);
  }

  async #answer(stream: Stream, peer: PeerKey, reader: StreamReader): Promise<void> {
    // The caller may have given up while it waited.
    if (stream.status !== 'open') return;
    const request = await reader.readFrame({
      sizeMax: limits.messageSizeMax,
      idleMs: messageIdleMs,
    });
    if (request === undefined || this.#handler === undefined) throw new Error('nothing to answer');
    const cancel = new AbortController();
    const onClose = (): void => cancel.abort(new Error('the caller has gone'));
    stream.addEventListener('close', onClose);
    try {
      const response = await this.#handler(peer, request, { signal: cancel.signal });
      refuseLong('a response', response);
      await writeFrame(stream, response, messageIdleMs);
    } finally {
      stream.removeEventListener('close', onClose);
    }
  }
}

/** Longer than any timeout that a caller may set: the deadline resets the stream. */
const untilDeadlineMs = 2 ** 31 - 1;

function refuseLong(what: string, bytes: Uint8Array): void {
  if (bytes.length <= limits.messageSizeMax) return;
  throw new HoldfastError(
    'limit-exceeded',
    `${what} has ${bytes.length} bytes, allowed are ${limits.messageSizeMax}`,
  );
}
