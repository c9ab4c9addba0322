import { minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import type { AgentKey, PeerKey } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { isProven, readImage } from '../../core/protocol/control/proven-log.ts';
import { mayRelay } from '../../core/protocol/member.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { ControlLog } from './control-log.ts';

export type CheckpointFollowerOptions = {
  readonly control: ControlLog;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
};

/** A checkpoint that a majority has signed, with what it is of. */
export type Complete = {
  readonly note: string;
  readonly size: number;
  readonly generation: number;
  readonly image: Uint8Array;
};

/** A member that nobody sends the log to asks for it this often. */
const followPeriodMs = 5 * secondMs;
/** The same while somebody here waits for what is in it. */
const awaitedPeriodMs = 1 * secondMs;
/** A peer whose image nobody vouches for is not asked for one again for so long: it may be large. */
const distrustMs = 10 * minuteMs;

/** Follows the control log through any member, as long as no leader sends it: the voters' signatures make it true. */
export class CheckpointFollower {
  readonly #options: CheckpointFollowerOptions;
  #followedMs = Number.NEGATIVE_INFINITY;
  readonly #distrustedUntilMs = new Map<PeerKey, number>();

  constructor(options: CheckpointFollowerOptions) {
    this.#options = options;
  }

  /** One look, if it is time for one. @returns what was taken */
  async look(options: Cancel): Promise<Complete | undefined> {
    const { control, clock, peers } = this.#options;
    if (control.status().leader !== undefined) return undefined;
    const nowMs = clock.monotonicMs();
    const periodMs = control.isAwaited ? awaitedPeriodMs : followPeriodMs;
    if (nowMs - this.#followedMs < periodMs) return undefined;
    this.#followedMs = nowMs;
    for (const { peerKey } of peers.reachable().filter(mayRelay)) {
      if ((this.#distrustedUntilMs.get(peerKey) ?? 0) > nowMs) continue;
      const taken = await this.#through(peerKey, options);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  async #through(peer: PeerKey, options: Cancel): Promise<Complete | undefined> {
    const { control, peers, log, clock } = this.#options;
    const from = BigInt(control.appliedIndex + 1);
    try {
      const question = { case: 'controlLog', value: { from } } as const;
      const { image: ref, checkpoint } = await peers.ask(peer, question, options);
      if (ref === undefined) return undefined;
      const image = await control.images.fetch(peer, ref, options);
      const taken = this.take(checkpoint, image);
      if (taken !== undefined) return taken;
      log.log('warn', controlMessages.logNotVouchedFor, { peer });
      this.#distrustedUntilMs.set(peer, clock.monotonicMs() + distrustMs);
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      if (code === 'outdated-software') {
        const reason = (error as Error).message;
        log.log('warn', controlMessages.peerLogTooNew, { peer, reason });
      }
      return undefined;
    }
  }

  /** Goes on from an image of the log if enough voters vouch for it; undefined when they do not. */
  take(note: string, image: Uint8Array): Complete | undefined {
    const { control, ledger } = this.#options;
    const { cluster, roster } = ledger;
    const read = readImage(image, { genesis: roster.genesis, cluster });
    const { state, size } = read;
    const { voters } = state.config;
    const { generation } = control.status();
    if (!voters.every((voter) => this.#mayVote(voter)) || state.generation !== generation) {
      return undefined;
    }
    const { config, vouches } = control.state;
    const known = [config.voters, vouches.voters];
    if (!isProven(note, read, { cluster, known })) return undefined;
    control.follow(image);
    return { note, size, generation, image };
  }

  /** By the operators' word, which this host has from the statements themselves. */
  #mayVote(agent: AgentKey): boolean {
    const member = this.#options.ledger.roster.member(agent);
    return member !== undefined && (member.hasRole('voter') || member.hasRole('witness'));
  }
}
