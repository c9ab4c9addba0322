import type { Connection, Stream } from '@libp2p/interface';
import { abortable } from '../../base/abortable.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type PeerKey, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { Cancel, Log } from '../../ports/runtime.ts';
import { CallLanes } from './call-lane.ts';
import { Deadline } from './deadline.ts';
import { errorOf, rethrowBug, unreachable } from './failure.ts';
import { finish, StreamReader, writeFrame } from './stream-io.ts';
import {
  callServerIdleMs,
  callStreamIdleMs,
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

type Line = { readonly slots: Semaphore; readonly lanes: CallLanes };

/** Calls to others: a framed request one way, a framed response the other, and the next on the same stream. */
export class CallClient {
  readonly #protocol: string;
  readonly #idleMs: number;
  readonly #lines = new WeakMap<Connection, Line>();

  constructor(protocol: string, idleMs: number = callStreamIdleMs) {
    this.#protocol = protocol;
    this.#idleMs = idleMs;
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
      const { slots, lanes } = this.#lineOf(connection);
      const release = await slotOf(slots, deadline.signal);
      try {
        return await lanes.call(request, deadline.signal);
      } finally {
        release();
      }
    } catch (error) {
      const reason = deadline.reasonOf(error);
      throw deadline.signal.aborted ? reason : unreachable(what, reason);
    }
  }

  #lineOf(connection: Connection): Line {
    let line = this.#lines.get(connection);
    if (line === undefined) {
      const lanes = new CallLanes(connection, this.#protocol, this.#idleMs);
      line = { slots: new Semaphore(callsStartedMax), lanes };
      this.#lines.set(connection, line);
    }
    return line;
  }
}

async function slotOf(slots: Semaphore, signal: AbortSignal): Promise<() => void> {
  const turn = slots.acquire();
  try {
    return await abortable(turn, signal);
  } catch (error) {
    void turn.then((release) => release());
    throw error;
  }
}

/** Answers the calls of others, a bounded number at once for each peer. */
export class CallServer {
  readonly #isMember: (peer: PeerKey) => boolean;
  readonly #log: Log;
  readonly #waiting = new Map<PeerKey, { slots: Semaphore; count: number }>();
  #handler: CallHandler | undefined;

  constructor(isMember: (peer: PeerKey) => boolean, log: Log) {
    this.#isMember = isMember;
    this.#log = log;
  }

  serve(handler: CallHandler): void {
    this.#handler = handler;
  }

  /** Takes a stream over. */
  accept(stream: Stream, peer: PeerKey): void {
    this.#answerAll(stream, peer).catch((error) => {
      stream.abort(errorOf(error));
      this.#log.log('debug', networkMessages.callNotAnswered, { peer, error });
      rethrowBug(error);
    });
  }

  async #answerAll(stream: Stream, peer: PeerKey): Promise<void> {
    using reader = new StreamReader(stream);
    let answered = 0;
    while (!(await reader.isAtEnd(answered === 0 ? messageIdleMs : callServerIdleMs))) {
      // The stream is older than the request: who asks may have been put out meanwhile.
      if (!this.#isMember(peer)) throw new Error('the peer is not a member');
      await this.#answerInTurn(stream, peer, reader);
      answered += 1;
    }
    if (answered === 0) throw new Error('nothing to answer');
    await finish(stream, reader, finishMs);
  }

  async #answerInTurn(stream: Stream, peer: PeerKey, reader: StreamReader): Promise<void> {
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
  }

  async #answer(stream: Stream, peer: PeerKey, reader: StreamReader): Promise<void> {
    // What it said may still be unread: whoever goes on with such a stream goes on for ever.
    if (stream.status !== 'open') throw new Error('the caller has given up');
    // Read only now: what waits costs no more memory than the stream may hold.
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

function refuseLong(what: string, bytes: Uint8Array): void {
  if (bytes.length <= limits.messageSizeMax) return;
  throw new HoldfastError(
    'limit-exceeded',
    `${what} has ${bytes.length} bytes, allowed are ${limits.messageSizeMax}`,
  );
}
