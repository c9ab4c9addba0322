import { secondMs } from '../../base/units.ts';
import type { DatasetId } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { homeSite, isHeld } from './standby.ts';

/** A site is lost, and this is what should happen now. */
export type SiteAlert = {
  readonly site: string;
  readonly wanted: 'attention' | 'repair' | 'restore';
  /** Why nothing happens by itself, for people. */
  readonly reason: string;
};

export type FailoverOptions = {
  readonly control: ControlAccess;
  readonly clock: Clock;
  readonly log: Log;
  readonly onAlert?: (alert: SiteAlert) => void;
};

const lookMs = 1 * secondMs;

/**
 * Does for a lost site what the policy says, while this host leads. It submits nothing: a plan that a rule
 * names waits in the log, and the coordinator begins it once the log says that the site is lost. What is left
 * to do here is to tell people. A new leader tells them again.
 */
export class Failover {
  readonly #options: FailoverOptions;
  #told = new Set<string>();

  constructor(options: FailoverOptions) {
    this.#options = options;
  }

  /** Looks on until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const options = signal === undefined ? {} : { signal };
    while (signal?.aborted !== true) {
      this.look();
      await this.#options.clock.sleep(lookMs, options).catch(() => {});
    }
  }

  /** One look at the sites that are lost now. */
  look(): void {
    const { control } = this.#options;
    if (!control.isLeading) {
      this.#told.clear();
      return;
    }
    const lost = control.state.sites.lost();
    this.#told = new Set([...this.#told].filter((site) => lost.includes(site)));
    for (const site of lost) {
      if (this.#told.has(site)) continue;
      this.#told.add(site);
      this.#act(site);
    }
  }

  #act(site: string): void {
    const { action } = this.#options.control.state.policy.current.failover;
    if (action === 'alert') {
      this.#alert({ site, wanted: 'attention', reason: 'the policy asks for an alert alone' });
    } else if (action === 'repair') {
      this.#alert({ site, wanted: 'repair', reason: 'its shards are to be stored elsewhere' });
    } else this.#restore(site);
  }

  #restore(site: string): void {
    const { control, log } = this.#options;
    const { rules } = control.state.policy.current.failover;
    const concerned = rules.filter(({ dataset }) => homeSite(control.state, dataset) === site);
    if (concerned.length === 0) {
      this.#alert({ site, wanted: 'attention', reason: 'no rule of the policy is about its data' });
    }
    for (const { dataset, standbySite, plan } of concerned) {
      const obstacle = this.#obstacle(plan);
      if (obstacle === undefined) {
        log.log('warn', planMessages.standbyPlanBegins, { site, dataset, standbySite });
      } else this.#alert({ site, wanted: 'restore', reason: `${named(dataset)}: ${obstacle}` });
    }
  }

  /** Why the plan of a rule does not begin; undefined when it does. */
  #obstacle(
    plan: Parameters<ControlAccess['state']['plans']['of']>[0] | undefined,
  ): string | undefined {
    const { plans } = this.#options.control.state;
    if (plan === undefined) return 'the rule names no plan';
    const record = plans.of(plan);
    const run = record?.runs.at(-1);
    if (record === undefined || run === undefined) return 'the plan of the rule was not submitted';
    if (['done', 'failed', 'cancelled'].includes(run.state)) {
      return `the last run of its plan is ${run.state}: submit the plan again`;
    }
    return isHeld(this.#options.control.state, { record, run }) ? 'its plan is held' : undefined;
  }

  #alert(alert: SiteAlert): void {
    const { log, onAlert } = this.#options;
    log.log('error', planMessages.siteLost, alert);
    onAlert?.(alert);
  }
}

function named(dataset: DatasetId): string {
  return `dataset ${dataset.slice(0, 8)}`;
}
