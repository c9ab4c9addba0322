import { assert } from '../../base/assert.ts';
import { releaseOwn } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PeerKey } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { PullReply, PullRequest } from '../../ports/network.ts';
import type { Cancel, Log } from '../../ports/runtime.ts';
import type { ByteStream } from './byte-stream.ts';
import { errorOf, rethrowBug } from './failure.ts';
import {
  decodePullRequest,
  encodePullFailure,
  encodePullReply,
  encodePullWait,
  pullRequestSizeMax,
} from './pull-message.ts';
import { finish, StreamReader, writeAll, writeFrame } from './stream-io.ts';
import { finishMs, pullServerIdleMs, pullsAheadMax, pullWaitMs } from './stream-limits.ts';

export type PullHandler = (
  peer: PeerKey,
  request: PullRequest,
  options: Cancel,
) => Promise<PullReply>;

type Answer = Pick<PullReply, 'bytes' | 'isGivenAway'> & { readonly header: Uint8Array };

/** Serves the pulls of others: each stream in the order of its requests, the next one read while one is sent. */
export class PullServer {
  readonly #log: Log;
  readonly #waitMs: number;
  #handler: PullHandler | undefined;

  constructor(log: Log, waitMs: number = pullWaitMs) {
    this.#log = log;
    this.#waitMs = waitMs;
  }

  serve(handler: PullHandler): void {
    this.#handler = handler;
  }

  /** Takes a stream over. */
  accept(stream: ByteStream, peer: PeerKey): void {
    this.#serveStream(stream, peer).catch((error) => {
      stream.abort(errorOf(error));
      this.#log.log('debug', networkMessages.pullStreamCut, { peer, error });
      rethrowBug(error);
    });
  }

  async #serveStream(stream: ByteStream, peer: PeerKey): Promise<void> {
    using reader = new StreamReader(stream);
    const ahead = new Semaphore(pullsAheadMax);
    const cancel = new AbortController();
    stream.addEventListener('close', () => cancel.abort(new Error('the peer has gone')));
    let sent: Promise<void> = Promise.resolve();
    for (;;) {
      // Before the request is read: a peer that asks and does not take waits in its own window.
      const release = await ahead.acquire();
      const request = await readRequest(reader);
      if (request === undefined) break;
      const answer = this.#answer(peer, request, cancel.signal);
      // Looked at only once those before it are sent: until then its failure is nobody's surprise.
      answer.catch(() => undefined);
      sent = sent.then(() => this.#send(stream, answer)).finally(release);
      // Ends the reading, too.
      sent.catch((error) => stream.abort(errorOf(error)));
    }
    await sent;
    await finish(stream, reader, finishMs);
  }

  /** An answer that waits for its turn under a limit must not look like a peer that has gone. */
  async #send(stream: ByteStream, answer: Promise<Answer>): Promise<void> {
    for (;;) {
      using patience = new Patience(this.#waitMs);
      const ready = await Promise.race([answer, patience.ended]);
      if (ready !== undefined) return write(stream, ready);
      await writeFrame(stream, encodePullWait(), limits.pullIdleTimeoutMs);
    }
  }

  async #answer(peer: PeerKey, request: PullRequest, signal: AbortSignal): Promise<Answer> {
    try {
      if (this.#handler === undefined) throw new HoldfastError('not-found', 'nothing is held here');
      const reply = await this.#handler(peer, request, { signal });
      assert(reply.bytes.length <= request.count * limits.leafSize, 'a pull reply is too long');
      return { ...reply, header: encodePullReply(reply) };
    } catch (error) {
      if (error instanceof HoldfastError) return failure(error);
      rethrowBug(error);
      if (signal.aborted) return failure(new HoldfastError('interrupted', 'you have gone'));
      this.#log.log('warn', networkMessages.pullFailedUnexpectedly, { peer, error });
      return failure(new HoldfastError('failed', 'unexpected error: see the log of that agent'));
    }
  }
}

async function readRequest(reader: StreamReader): Promise<PullRequest | undefined> {
  const frame = await reader.readFrame({
    sizeMax: pullRequestSizeMax,
    idleMs: limits.pullIdleTimeoutMs,
    firstMs: pullServerIdleMs,
  });
  return frame === undefined ? undefined : decodePullRequest(frame);
}

/** A time that may be cut short: its timer does not outlive it. */
class Patience implements Disposable {
  readonly ended: Promise<undefined>;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.ended = new Promise((resolve) => {
      this.#timer = setTimeout(() => resolve(undefined), ms);
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

async function write(stream: ByteStream, answer: Answer): Promise<void> {
  const { header, bytes, isGivenAway } = answer;
  await writeFrame(stream, header, limits.pullIdleTimeoutMs);
  await writeAll(stream, bytes, limits.pullIdleTimeoutMs);
  // The next one lies in memory that is warm.
  if (isGivenAway === true && stream.isCopying === true) releaseOwn(bytes);
}

function failure(error: HoldfastError): Answer {
  return { header: encodePullFailure(error.code, error.message), bytes: new Uint8Array() };
}
