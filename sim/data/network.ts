import { concat, fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { codeOf, HoldfastError, isErrorCode } from '../../src/core/errors.ts';
import { decodeShardHead, encodeShardHead } from '../../src/core/format/shard.ts';
import type { PeerKey } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { traceBytes, traceFrom } from '../../src/core/trace-id.ts';
import type { Network, PullReply, PullRequest } from '../../src/ports/network.ts';
import type { Cancel } from '../../src/ports/runtime.ts';
import { Internet } from '../internet.ts';
import { farEnd, type Link, SimNetwork, unreachable } from '../network.ts';
import type { Prng } from '../prng.ts';

type PullHandler = Parameters<Network['servePulls']>[0];

/** What a member that lies makes of its answers. */
export type Tongue = (from: PeerKey, answer: Uint8Array, isPull: boolean) => Uint8Array | undefined;

/** How the connections of all hosts are: of a thousand requests, so many end with their connection. */
export type Weather = { resetPerMille: number };

/** Which of two ends hears later of their connection hears within this. */
const openingMsMax = 4000;

/** A stream of bytes has no gaps: a connection that has lost something ends when its heartbeat finds out. */
export class DataInternet extends Internet {
  readonly #torn = new WeakSet<Link>();
  /** Since when one end has it and the other does not yet. */
  readonly #opening = new WeakMap<Link, number>();

  /** The first end has it, then the second. */
  opened(link: Link): void {
    if (this.#opening.has(link)) this.#opening.delete(link);
    else this.#opening.set(link, this.world.nowMs);
  }

  protected override lost(link: Link): void {
    this.#torn.add(link);
  }

  override isWhole(link: Link): boolean {
    if (this.#torn.has(link)) return false;
    const sinceMs = this.#opening.get(link);
    const isYoung = sinceMs !== undefined && this.world.nowMs < sinceMs + openingMsMax;
    return isYoung || super.isWhole(link);
  }
}

const pullMark = 0xff;
const callMark = 0x00;

/** The network of one run of one host, with shards: a pull is a call of its own kind. */
export class DataNetwork extends SimNetwork {
  readonly #internet: DataInternet;
  readonly #weather: Weather;
  readonly #random: Prng;
  #pulls: PullHandler | undefined;
  tongue: Tongue | undefined;
  /** Requests that wait for their answers, now and at most. */
  waiting = 0;
  mostWaiting = 0;
  largestReply = 0;

  constructor(
    internet: DataInternet,
    options: ConstructorParameters<typeof SimNetwork>[1] & { readonly weather: Weather },
  ) {
    super(internet, options);
    this.#internet = internet;
    this.#weather = options.weather;
    this.#random = internet.world.random.fork();
  }

  override open(link: Link): void {
    this.#internet.opened(link);
    super.open(link);
  }

  override call(
    peer: PeerKey,
    request: Uint8Array,
    options: Cancel & { timeoutMs?: number } = {},
  ): Promise<Uint8Array> {
    return this.#exchange(peer, concat([Uint8Array.of(callMark), request]), options);
  }

  override async pull(
    peer: PeerKey,
    request?: PullRequest,
    options: Cancel = {},
  ): Promise<PullReply> {
    if (request === undefined) throw unreachable(peer);
    const timeoutMs = limits.pullIdleTimeoutMs;
    const answer = await this.#exchange(peer, encodePull(request), { ...options, timeoutMs });
    return decodeReply(answer);
  }

  /** A connection may end before the request has arrived, or after it was done and before the answer is here. */
  async #exchange(
    peer: PeerKey,
    request: Uint8Array,
    options: Cancel & { timeoutMs?: number },
  ): Promise<Uint8Array> {
    const { resetPerMille } = this.#weather;
    const link = this.linkTo(peer);
    const isReset = resetPerMille > 0 && this.#random.chance(resetPerMille);
    const isEarly = this.#random.chance(500);
    if (isReset && isEarly && link !== undefined) {
      this.#internet.close(this, link);
      throw unreachable(peer);
    }
    this.waiting++;
    this.mostWaiting = Math.max(this.mostWaiting, this.waiting);
    try {
      const answer = await super.call(peer, request, options);
      if (!isReset || link === undefined) return answer;
      this.#internet.world.meet('connection lost with an answer');
      this.#internet.close(this, link);
      throw unreachable(peer);
    } finally {
      this.waiting--;
    }
  }

  override servePulls(handler?: PullHandler): void {
    this.#pulls = handler;
  }

  override async answer(link: Link, request: Uint8Array): Promise<Uint8Array | undefined> {
    const from = farEnd(link, this).self;
    const isPull = request[0] === pullMark;
    const answer = isPull
      ? await this.#answerPull(from, request)
      : await super.answer(link, request.subarray(1));
    if (answer === undefined) return undefined;
    return this.tongue === undefined ? answer : this.tongue(from, answer, isPull);
  }

  async #answerPull(from: PeerKey, request: Uint8Array): Promise<Uint8Array> {
    try {
      if (this.#pulls === undefined) throw new HoldfastError('not-found', 'nobody serves pulls');
      const { bytes, head } = await this.#pulls(from, decodePull(request), {});
      this.largestReply = Math.max(this.largestReply, bytes.length);
      const headBytes = head === undefined ? new Uint8Array(0) : encodeShardHead(head);
      return concat([sized(headBytes), bytes]);
    } catch (error) {
      return concat([Uint8Array.of(0xff), utf8(codeOf(error) ?? 'failed')]);
    }
  }
}

function encodePull({ pack, index, leaf, count, withHead, trace }: PullRequest): Uint8Array {
  const bytes = new Uint8Array(12 + 32);
  const view = new DataView(bytes.buffer);
  bytes.set([pullMark, index, withHead ? 1 : 0, 0]);
  view.setUint32(4, leaf);
  view.setUint32(8, count);
  bytes.set(pack, 12);
  return concat([bytes, traceBytes(trace)]);
}

function decodePull(bytes: Uint8Array): PullRequest {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const { 1: index = 0, 2: withHead } = bytes;
  const at = { leaf: view.getUint32(4), count: view.getUint32(8) };
  const trace = traceFrom(bytes.subarray(44));
  return { pack: bytes.slice(12, 44), index, ...at, withHead: withHead === 1, trace };
}

/** Its size in three bytes stands before it: never 0xff. */
function sized(bytes: Uint8Array): Uint8Array {
  const size = bytes.length;
  return concat([Uint8Array.of(0, size >> 16, (size >> 8) & 255, size & 255), bytes]);
}

function decodeReply(answer: Uint8Array): PullReply {
  if (answer[0] === 0xff) {
    const code = fromUtf8(answer.subarray(1)) ?? '';
    throw new HoldfastError(isErrorCode(code) ? code : 'failed', 'the peer has no such shard');
  }
  const size = ((answer[1] ?? 0) << 16) | ((answer[2] ?? 0) << 8) | (answer[3] ?? 0);
  const bytes = answer.slice(4 + size);
  return size === 0 ? { bytes } : { bytes, head: decodeShardHead(answer.subarray(4, 4 + size)) };
}
