import { RecentMap } from '../base/recent-map.ts';
import { minuteMs } from '../base/units.ts';
import type { PeerKey } from '../core/ids.ts';
import type { LogMessage } from '../core/log-messages/log-message.ts';
import type { Clock, Log } from '../ports/runtime.ts';

/** More than one member's backups and restores begin in a minute; a log of days still fits a disk. */
export const peerLinesPerMinute = 60;
/** Peers that are counted apart. */
const peersMax = 1024;

type Share = { readonly sinceMs: number; lines: number; leftOut: number };

/**
 * Lines about what a peer has asked for. It chooses how often it asks, and by which trace; how much of this host's
 * disk its lines take is not its choice: what is over its share of a minute is counted, and told with the next line.
 */
export class PeerLines {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #shares = new RecentMap<Share>(peersMax);

  constructor({ log, clock }: { readonly log: Log; readonly clock: Pick<Clock, 'monotonicMs'> }) {
    this.#log = log;
    this.#clock = clock;
  }

  info(peer: PeerKey, message: LogMessage, context: Readonly<Record<string, unknown>>): void {
    const share = this.#shareOf(peer);
    if (share.lines >= peerLinesPerMinute) {
      share.leftOut++;
      return;
    }
    share.lines++;
    const { leftOut } = share;
    share.leftOut = 0;
    this.#log.log('info', message, { peer, ...context, ...(leftOut > 0 && { leftOut }) });
  }

  #shareOf(peer: PeerKey): Share {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#shares.get(peer);
    if (known !== undefined && nowMs - known.sinceMs < minuteMs) return known;
    const share = { sinceMs: nowMs, lines: 0, leftOut: known?.leftOut ?? 0 };
    this.#shares.set(peer, share);
    return share;
  }
}
