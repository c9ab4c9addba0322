import type { Stream } from '@libp2p/interface';
import { assert } from '../../base/assert.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PeerKey } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { PullReply, PullRequest } from '../../ports/network.ts';
import type { Cancel, Log } from '../../ports/runtime.ts';
import { errorOf, rethrowBug } from './failure.ts';
import {
  decodePullRequest,
  encodePullFailure,
  encodePullReply,
  pullRequestSizeMax,
} from './pull-message.ts';
import { finish, StreamReader, writeAll, writeFrame } from './stream-io.ts';
import { finishMs, pullServerIdleMs, pullsAheadMax } from './stream-limits.ts';

export type PullHandler = (
  peer: PeerKey,
  request: PullRequest,
  options: Cancel,
) => Promise<PullReply>;

type Answer = { readonly header: Uint8Array; readonly bytes: Uint8Array };

/** Serves the pulls of others: each stream in the order of its requests, the next one read while one is sent. */
export class PullServer {
  readonly #log: Log;
  #handler: PullHandler | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  serve(handler: PullHandler): void {
    this.#handler = handler;
  }

  /** Takes a stream over. */
  accept(stream: Stream, peer: PeerKey): void {
    this.#serveStream(stream, peer).catch((error) => {
      stream.abort(errorOf(error));
      this.#log.log('debug', 'a pull stream was cut', { peer, error });
      rethrowBug(error);
    });
  }

  async #serveStream(stream: Stream, peer: PeerKey): Promise<void> {
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
      sent = Promise.all([answer, sent])
        .then(([ready]) => write(stream, ready))
        .finally(release);
      // Ends the reading, too.
      sent.catch((error) => stream.abort(errorOf(error)));
    }
    await sent;
    await finish(stream, reader, finishMs);
  }

  async #answer(peer: PeerKey, request: PullRequest, signal: AbortSignal): Promise<Answer> {
    try {
      if (this.#handler === undefined) throw new HoldfastError('not-found', 'nothing is held here');
      const reply = await this.#handler(peer, request, { signal });
      assert(reply.bytes.length <= request.count * limits.leafSize, 'a pull reply is too long');
      return { header: encodePullReply(reply), bytes: reply.bytes };
    } catch (error) {
      if (error instanceof HoldfastError) return failure(error);
      rethrowBug(error);
      this.#log.log('warn', 'a pull failed unexpectedly', { peer, error });
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

async function write(stream: Stream, { header, bytes }: Answer): Promise<void> {
  await writeFrame(stream, header, limits.pullIdleTimeoutMs);
  await writeAll(stream, bytes, limits.pullIdleTimeoutMs);
}

function failure(error: HoldfastError): Answer {
  return { header: encodePullFailure(error.code, error.message), bytes: new Uint8Array() };
}
