import { secondMs } from '../../base/units.ts';
import type { BodyOf } from '../../core/format/control-records.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Peers } from '../peers.ts';
import { problemIn } from './run-view.ts';

export type SiteWatchOptions = {
  readonly control: ControlAccess;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly clock: Clock;
  readonly log: Log;
};

type SiteState = BodyOf<'site-report'>['state'];

const lookMs = 5 * secondMs;

/**
 * Says in the log which sites this voter has lost sight of, and which it sees again. One voter's word is an
 * opinion; the log makes a lost site of a majority's. Only time that passes here counts, never a clock's date.
 */
export class SiteWatch {
  readonly #options: SiteWatchOptions;
  /** When an agent of the site was connected last; from the first look on. */
  readonly #seenMs = new Map<string, number>();

  constructor(options: SiteWatchOptions) {
    this.#options = options;
  }

  /** Watches until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const { clock, log } = this.#options;
    const options = signal === undefined ? {} : { signal };
    while (signal?.aborted !== true) {
      try {
        await this.look(options);
      } catch (error) {
        const problem = problemIn(error, options);
        if (problem === undefined) return;
        log.log('info', planMessages.siteNotReported, { code: problem.code });
      }
      await clock.sleep(lookMs, options).catch(() => {});
    }
  }

  /** One look at all sites. @throws HoldfastError no-quorum */
  async look(options: Cancel = {}): Promise<void> {
    const { control } = this.#options;
    const { members, config } = control.state;
    const own = members.of(control.self)?.site;
    const isVoter = config.voters.includes(control.self);
    const sites = new Set(members.all().map(({ site }) => site));
    for (const site of sites) {
      // Whoever can read this is there: one word of an own agent is enough.
      const wanted = site === own ? this.#ownWord(site) : isVoter ? this.#word(site) : undefined;
      if (wanted !== undefined) await this.#say(site, wanted, options);
    }
  }

  #ownWord(site: string): SiteState | undefined {
    return this.#options.control.state.sites.of(site)?.isLost === true ? 'seen' : undefined;
  }

  /** What this voter has to say and has not said yet. */
  #word(site: string): SiteState | undefined {
    const { control, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#isSeen(site)) this.#seenMs.set(site, nowMs);
    const seenMs = this.#seenMs.get(site) ?? nowMs;
    this.#seenMs.set(site, seenMs);
    const reports = control.state.sites.of(site)?.reports ?? [];
    const said = reports.find(({ agent }) => agent === control.self)?.state;
    const { siteLostAfterMs } = control.state.policy.current.failover;
    if (nowMs - seenMs >= siteLostAfterMs) return said === 'lost' ? undefined : 'lost';
    return seenMs === nowMs && said === 'lost' && this.#isSeen(site) ? 'seen' : undefined;
  }

  #isSeen(site: string): boolean {
    const { control, peers } = this.#options;
    return control.state.members
      .all()
      .some((member) => member.site === site && peers.isReachable(member.peer));
  }

  async #say(site: string, state: SiteState, options: Cancel): Promise<void> {
    const { control, log } = this.#options;
    const result = await control.submit({ kind: 'site-report', site, state }, options);
    const context = { site, state, outcome: result.outcome };
    log.log(state === 'lost' ? 'warn' : 'info', planMessages.siteReported, context);
  }
}
