import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { PullReply, PullRequest } from '../../ports/network.ts';
import type { ByteStream } from './byte-stream.ts';
import { errorOf, unreachable } from './failure.ts';
import {
  decodePullHeader,
  encodePullRequest,
  type PullHeader,
  pullResponseSizeMax,
} from './pull-message.ts';
import { finish, framed, StreamReader } from './stream-io.ts';
import { finishMs, pullStreamIdleMs, pullWaitsMax } from './stream-limits.ts';

type Pending = {
  readonly request: PullRequest;
  readonly settle: PromiseWithResolvers<PullReply>;
};

/**
 * One long-lived stream to a peer: requests go out at once, replies come back in their order. Whoever holds it
 * keeps limits.pullsOutstandingMax. Any breach, or silence while something is due, ends it with all its pulls.
 */
export class PullLane {
  readonly #stream: ByteStream;
  readonly #reader: StreamReader;
  readonly #pending: Pending[] = [];
  readonly #onEnd: () => void;
  #isOpen = true;
  #isReceiving = false;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(stream: ByteStream, onEnd: () => void) {
    this.#stream = stream;
    this.#reader = new StreamReader(stream);
    this.#onEnd = onEnd;
    stream.addEventListener('close', this.#onClose, { once: true });
    this.#startIdling();
    if (stream.status !== 'open') this.#onClose();
  }

  /** @throws HoldfastError peer-unreachable, or what the peer or its head says */
  pull(request: PullRequest): Promise<PullReply> {
    const frame = framed(encodePullRequest(request));
    const settle = Promise.withResolvers<PullReply>();
    this.#pending.push({ request, settle });
    clearTimeout(this.#idleTimer);
    try {
      if (!this.#isOpen) throw new Error('the stream has ended');
      // Not waited for: a few dozen bytes for each of a few requests.
      this.#stream.send(frame);
      void this.#receive();
    } catch (error) {
      this.end(error);
    }
    return settle.promise;
  }

  /** Rejects what is outstanding and resets the stream. */
  end(cause: unknown): void {
    clearTimeout(this.#idleTimer);
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#stream.abort(errorOf(cause));
      this.#reader[Symbol.dispose]();
      this.#onEnd();
    }
    for (const { settle } of this.#pending.splice(0)) settle.reject(lost(cause));
  }

  async #receive(): Promise<void> {
    if (this.#isReceiving) return;
    this.#isReceiving = true;
    try {
      for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
        const reply = await this.#readReply(next.request);
        if (this.#pending[0] !== next) return;
        this.#pending.shift();
        if ('error' in reply) next.settle.reject(reply.error);
        else next.settle.resolve(reply);
      }
      this.#startIdling();
    } catch (error) {
      this.end(error);
    } finally {
      this.#isReceiving = false;
    }
  }

  async #readReply(request: PullRequest): Promise<PullReply | { error: unknown }> {
    const idleMs = limits.pullIdleTimeoutMs;
    for (let waits = 0; waits <= pullWaitsMax; waits++) {
      const frame = await this.#reader.readFrame({ sizeMax: pullResponseSizeMax, idleMs });
      if (frame === undefined) throw new Error('the peer ended the stream');
      const header = decodePullHeader(frame, request);
      if (header.kind === 'waits') continue;
      if (header.kind === 'failure') return { error: header.error };
      const bytes = await this.#reader.readExactly(header.size, idleMs);
      return withHead(bytes, header);
    }
    throw new Error('the peer makes wait for too long');
  }

  #startIdling(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#retire(), pullStreamIdleMs);
    this.#idleTimer.unref();
  }

  #retire(): void {
    this.#isOpen = false;
    this.#onEnd();
    void finish(this.#stream, this.#reader, finishMs).finally(() => this.#reader[Symbol.dispose]());
  }

  readonly #onClose = (): void => {
    // With something due, the reader delivers what has arrived and then fails.
    if (this.#isOpen && this.#pending.length === 0) this.end(new Error('the stream has ended'));
  };
}

/** A head that does not hold fails its own pull; the stream is still in step. */
function withHead(
  bytes: Uint8Array,
  header: PullHeader & { kind: 'bytes' },
): PullReply | { error: unknown } {
  if (header.head === undefined) return { bytes };
  try {
    return { bytes, head: header.head() };
  } catch (error) {
    return { error };
  }
}

/** Asking again, or another peer, can help whatever broke the stream: hence one code. */
function lost(cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError && cause.code !== 'peer-unreachable') {
    return new HoldfastError('peer-unreachable', `a pull was cut: ${cause.message}`, { cause });
  }
  return unreachable('a pull was cut', cause);
}
