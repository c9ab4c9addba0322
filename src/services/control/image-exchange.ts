import { equal, toHex } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { KiB, MiB } from '../../base/units.ts';
import { hash } from '../../core/crypto/hash.ts';
import { HoldfastError } from '../../core/errors.ts';
import { logImageSizeMax } from '../../core/format/log-image.ts';
import type { PeerKey } from '../../core/ids.ts';
import type { AnswerInit, AskedValue } from '../../core/protocol/exchange-kinds.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { Peers } from '../peers.ts';

/** An image of the control log or its state, by its content. */
export type ImageRef = { readonly hash: Uint8Array; readonly size: bigint };

/** Bytes in one answer: well below a message, so that heartbeats pass between two of them. */
const pieceSize = 256 * KiB;
/** Images that others may be fetching at once. One that is asked for stays; the longest unasked goes. */
const imagesMax = 4;
const keptBytesMax = 128 * MiB;

type Partial = { readonly name: string; readonly bytes: Uint8Array; received: number };

/**
 * Brings images of the control log from host to host, piece by piece, whatever their size: a message holds one
 * MiB, a state up to 64. An image is named by its hash, so a transfer that broke goes on with whoever has the
 * same image, and what arrives is what was named. Whether it is true is for the caller to judge.
 */
export class ImageExchange {
  readonly #peers: Pick<Peers, 'ask'>;
  /** By hash, the longest unasked first. */
  readonly #offered = new Map<string, Uint8Array>();
  /** One transfer at a time bounds what this host keeps for others' sake. */
  readonly #turn = new Semaphore(1);
  #partial: Partial | undefined;

  constructor(peers: Pick<Peers, 'ask'>) {
    this.#peers = peers;
  }

  /** Lets others fetch these bytes for a while. */
  offer(bytes: Uint8Array): ImageRef {
    const digest = hash('control-image', bytes);
    this.#offered.delete(toHex(digest));
    this.#offered.set(toHex(digest), bytes);
    let size = [...this.#offered.values()].reduce((sum, { length }) => sum + length, 0);
    for (const [name, { length }] of this.#offered) {
      const isOver = this.#offered.size > imagesMax || size > keptBytesMax;
      if (!isOver || this.#offered.size === 1) break;
      this.#offered.delete(name);
      size -= length;
    }
    return { hash: digest, size: BigInt(bytes.length) };
  }

  /** The piece that another member asks for. @throws HoldfastError not-found */
  piece({ hash: digest, offset }: AskedValue<'image'>): AnswerInit<'image'> {
    const name = toHex(digest);
    const bytes = this.#offered.get(name);
    if (bytes === undefined || offset > bytes.length) {
      throw new HoldfastError('not-found', 'this image is not offered here any more');
    }
    this.#offered.delete(name);
    this.#offered.set(name, bytes);
    const from = Number(offset);
    return { bytes: bytes.subarray(from, from + pieceSize) };
  }

  /**
   * The bytes that another member has named. A transfer that fails is taken up again where it broke, by the next
   * call for the same image, whoever is asked.
   * @throws HoldfastError limit-exceeded | corrupt (other bytes came than were named); what asking throws
   */
  async fetch(
    peer: PeerKey,
    ref: { readonly hash: Uint8Array; readonly size: bigint } | undefined,
    options: Cancel = {},
  ): Promise<Uint8Array> {
    if (ref === undefined || ref.hash.length !== 32) {
      throw new HoldfastError('bad-encoding', 'a peer named no image of the control log');
    }
    if (ref.size > logImageSizeMax) {
      throw new HoldfastError('limit-exceeded', 'an image of the control log is too large');
    }
    const release = await this.#turn.acquire();
    try {
      return await this.#fetch(peer, ref, options);
    } finally {
      release();
    }
  }

  async #fetch(peer: PeerKey, ref: ImageRef, options: Cancel): Promise<Uint8Array> {
    // A view of an answer would keep the whole answer.
    const digest = ref.hash.slice();
    const name = toHex(digest);
    const size = Number(ref.size);
    const isKnown = this.#partial?.name === name && this.#partial.bytes.length === size;
    const partial = isKnown ? this.#partial : { name, bytes: new Uint8Array(size), received: 0 };
    this.#partial = partial;
    while (partial !== undefined && partial.received < size) {
      const value = { hash: digest, offset: BigInt(partial.received) };
      const { bytes } = await this.#peers.ask(peer, { case: 'image', value }, options);
      if (bytes.length === 0 || partial.received + bytes.length > size) {
        throw this.#spoilt('a peer sent another piece of an image than it was asked for');
      }
      partial.bytes.set(bytes, partial.received);
      partial.received += bytes.length;
    }
    const done = partial?.bytes ?? new Uint8Array(0);
    if (!equal(hash('control-image', done), digest)) {
      throw this.#spoilt('an image of the control log has not the bytes that were named');
    }
    this.#partial = undefined;
    return done;
  }

  /** Nobody knows which piece was wrong: it begins anew. */
  #spoilt(what: string): HoldfastError {
    this.#partial = undefined;
    return new HoldfastError('corrupt', what);
  }
}
