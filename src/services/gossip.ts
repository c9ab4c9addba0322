import { HoldfastError } from '../core/errors.ts';
import type { PeerKey } from '../core/ids.ts';
import { networkMessages } from '../core/log-messages/network.ts';
import {
  announcementHeadsMax,
  decodeAnnouncement,
  encodeAnnouncement,
  type StreamHead,
} from '../core/protocol/stream-heads.ts';
import type { Network } from '../ports/network.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import type { Ledger, StatementEvent } from './ledger.ts';

export type GossipOptions = {
  readonly network: Network;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly logger?: Log;
  readonly signal: AbortSignal;
  /** Heads that a member has announced: hints, nothing more. */
  readonly onNews: (from: PeerKey, heads: readonly StreamHead[]) => void;
};

/** Statements of one catch-up come in bursts: what comes within this time is announced together. */
const gatherMs = 100;

/** Announces heads that are new here, own and learnt, and hears those of others. May lose any of them. */
export class Gossip implements AsyncDisposable {
  readonly #options: GossipOptions;
  readonly #news = new Map<string, StreamHead>();
  #announcing: Promise<void> | undefined;
  #isAnnouncing = false;

  constructor(options: GossipOptions) {
    this.#options = options;
  }

  /** @returns what stops it. */
  start(): () => void {
    this.#options.network.onPublished((from, message) => this.#hear(from, message));
    return this.#options.ledger.onStatement((event) => this.#tell(event));
  }

  #tell({ statement }: StatementEvent): void {
    const { writer, stream } = statement;
    const head = this.#options.ledger.head(writer, stream);
    if (head === undefined || this.#options.signal.aborted) return;
    this.#news.set(`${writer}/${stream}`, { ...head, writer });
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    this.#announcing = this.#announce();
  }

  async #announce(): Promise<void> {
    const { clock, network, signal, logger } = this.#options;
    try {
      while (this.#news.size > 0) {
        await clock.sleep(gatherMs, { signal });
        const heads = [...this.#news.values()].slice(0, announcementHeadsMax);
        for (const { writer, stream } of heads) this.#news.delete(`${writer}/${stream}`);
        await network.publish(encodeAnnouncement(heads));
      }
    } catch (error) {
      // Lost: the next round with each peer carries the same.
      if (signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      logger?.log('debug', networkMessages.newsNotAnnounced, { problem });
    } finally {
      this.#isAnnouncing = false;
    }
  }

  #hear(from: PeerKey, message: Uint8Array): void {
    const { ledger, network, logger } = this.#options;
    if (from === network.self || ledger.roster.memberByPeer(from) === undefined) return;
    try {
      this.#options.onNews(from, decodeAnnouncement(message));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      logger?.log('debug', networkMessages.announcementMalformed, { from, problem: error.message });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#announcing;
  }
}
