import type { GossipSub } from '@libp2p/gossipsub';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PeerKey } from '../../core/ids.ts';
import { networkMessages } from '../../core/log-messages/network.ts';
import type { Log } from '../../ports/runtime.ts';
import type { Admission } from './admission.ts';
import { peerKeyOf } from './peer-key.ts';

/** libp2p drops messages near 4 MiB in silence, and takes seconds for much smaller ones. */
export const announcementSizeMax = 64 * KiB;

export type AnnouncementHandler = (from: PeerKey, message: Uint8Array) => void;

/** Small messages to all members, by gossip: late joiners and absent members never see them. */
export class Announcements {
  readonly #pubsub: GossipSub | undefined;
  readonly #topic: string;
  readonly #log: Log;
  #handler: AnnouncementHandler | undefined;

  constructor(options: {
    pubsub: GossipSub | undefined;
    topic: string;
    admission: Admission;
    log: Log;
  }) {
    this.#pubsub = options.pubsub;
    this.#topic = options.topic;
    this.#log = options.log;
    this.#pubsub?.addEventListener('message', ({ detail }) => {
      if (detail.type !== 'signed' || detail.topic !== this.#topic) return;
      if (detail.data.length > announcementSizeMax) return;
      const from = peerKeyOf(detail.from);
      if (from === undefined || !options.admission.isMember(detail.from)) return;
      this.#handler?.(from, Uint8Array.from(detail.data));
    });
  }

  /** Once the node has started. */
  start(): void {
    this.#pubsub?.subscribe(this.#topic);
  }

  handle(handler: AnnouncementHandler): void {
    this.#handler = handler;
  }

  /** @throws HoldfastError limit-exceeded */
  async publish(message: Uint8Array): Promise<void> {
    if (message.length > announcementSizeMax) {
      throw new HoldfastError(
        'limit-exceeded',
        `an announcement has ${message.length} bytes, allowed are ${announcementSizeMax}`,
      );
    }
    try {
      const sent = await this.#pubsub?.publish(this.#topic, message);
      this.#log.log('debug', networkMessages.announced, {
        recipients: sent?.recipients.length ?? 0,
      });
    } catch (error) {
      // Only a hint: members find out by anti-entropy.
      this.#log.log('debug', networkMessages.announcementFailed, { error });
    }
  }
}
