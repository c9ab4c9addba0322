import type { Connection, Stream } from '@libp2p/interface';
import { limits } from '../../core/limits.ts';
import { errorOf } from './failure.ts';
import { finish, StreamReader, writeFrame } from './stream-io.ts';
import { finishMs, messageIdleMs } from './stream-limits.ts';

/**
 * A stream that carries one call after another: opening one, agreeing on its protocol and closing it again costs
 * several times what a call itself does.
 */
class CallLane {
  readonly #stream: Stream;
  readonly #reader: StreamReader;
  readonly #idleTimer: NodeJS.Timeout;
  #isBusy = false;
  #isOver = false;

  constructor(stream: Stream, idleMs: number) {
    this.#stream = stream;
    this.#reader = new StreamReader(stream);
    this.#idleTimer = setTimeout(() => this.#retire(), idleMs).unref();
  }

  /** Nothing is owed either way: what a peer says unasked makes a lane useless. */
  get isReady(): boolean {
    return !this.#isOver && this.#stream.status === 'open' && this.#reader.isQuiet;
  }

  /** Any error, the caller's `signal` included, resets the stream. */
  async call(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    this.#isBusy = true;
    const onAbort = (): void => this.end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await writeFrame(this.#stream, request, messageIdleMs);
      const response = await this.#reader.readFrame({
        sizeMax: limits.messageSizeMax,
        idleMs: messageIdleMs,
        // The handler may take all the time that the caller allows.
        firstMs: untilDeadlineMs,
      });
      if (response === undefined) throw new Error('the peer gave no answer');
      return response;
    } catch (error) {
      this.end(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#isBusy = false;
      if (!this.#isOver) this.#idleTimer.refresh();
    }
  }

  end(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#idleTimer);
    this.#stream.abort(errorOf(cause));
    this.#reader[Symbol.dispose]();
  }

  #retire(): void {
    // A call may take longer; the timer starts anew after it.
    if (this.#isBusy) return;
    this.#isOver = true;
    void finish(this.#stream, this.#reader, finishMs).finally(() => this.#reader[Symbol.dispose]());
  }
}

/** The lanes of one connection. Whoever uses them bounds how many calls run at once, and thereby the lanes. */
export class CallLanes {
  readonly #connection: Connection;
  readonly #protocol: string;
  readonly #idleMs: number;
  /** The one used last is used next, so that those beyond what is needed grow idle and end. */
  readonly #idle: CallLane[] = [];

  constructor(connection: Connection, protocol: string, idleMs: number) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#idleMs = idleMs;
  }

  async call(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const lane = this.#takeIdle() ?? (await this.#open(signal));
    const response = await lane.call(request, signal);
    this.#dropOld();
    this.#idle.push(lane);
    return response;
  }

  #takeIdle(): CallLane | undefined {
    for (let lane = this.#idle.pop(); lane !== undefined; lane = this.#idle.pop()) {
      if (lane.isReady) return lane;
      lane.end(new Error('the stream is out of step'));
    }
    return undefined;
  }

  #dropOld(): void {
    while (this.#idle[0]?.isReady === false) this.#idle.shift()?.end(new Error('out of step'));
  }

  async #open(signal: AbortSignal): Promise<CallLane> {
    const options = { signal, runOnLimitedConnection: true };
    const stream = await this.#connection.newStream(this.#protocol, options);
    return new CallLane(stream, this.#idleMs);
  }
}

/** Longer than any timeout that a caller may set: the deadline resets the stream. */
const untilDeadlineMs = 2 ** 31 - 1;
