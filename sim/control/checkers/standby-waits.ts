import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A plan that waits for the loss of a site begins only once the log says that a site is lost. */
export class StandbyWaits implements ControlChecker {
  readonly name = 'standby-waits';
  #lostAt = Number.POSITIVE_INFINITY;
  #checked = 0;

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.outcome.outcome !== 'applied') return undefined;
    const { index, body } = seen.command;
    if (index <= this.#checked) return undefined;
    this.#checked = index;
    const { sites, policy } = seen.control.state;
    if (sites.lost().length > 0) this.#lostAt = Math.min(this.#lostAt, index);
    if (body.kind !== 'mark') return undefined;
    const rule = policy.current.failover.rules.find(({ plan }) => plan === body.plan);
    if (rule === undefined || this.#lostAt <= index) return undefined;
    return `the standby plan of site ${rule.standbySite} has begun, and no site is lost`;
  }
}
