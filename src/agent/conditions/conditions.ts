import { secondMs } from '../../base/units.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { Roster } from '../../core/protocol/roster.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../../services/alarms.ts';
import { repeat } from '../../services/control/duty.ts';
import type { FirstSeen } from '../../services/first-seen.ts';
import type { DatasetState } from '../../services/status.ts';
import type { CoordinatorStatus } from '../api.ts';
import {
  clockConditions,
  type PeerClock,
  quorumConditions,
  siteConditions,
} from './cluster-conditions.ts';
import { type Condition, conditionKinds } from './condition.ts';
import {
  configuredConditions,
  type DatasetFacts,
  datasetConditions,
} from './dataset-conditions.ts';
import { Patience } from './patience.ts';
import { lossConditions, type Room, roomConditions } from './storage-conditions.ts';

/** How things stand, read when somebody looks. */
export type Facts = {
  readonly self: string;
  readonly datasets: () => Promise<DatasetState[]>;
  /** Names that the configuration of this host gives. */
  readonly configured: readonly string[];
  readonly roster: DatasetFacts['roster'] & Pick<Roster, 'member'>;
  readonly lostSites: () => string[];
  readonly coordinator: () => CoordinatorStatus;
  readonly clocks: () => PeerClock[];
  /** Undefined on a host that stores nothing. */
  readonly room: () => Room | undefined;
  readonly lostPacks: () => number | undefined;
};

export type ConditionsOptions = {
  readonly facts: Facts;
  readonly alarms: Pick<Alarms, 'raise' | 'settle' | 'stands'>;
  readonly firstSeen: FirstSeen;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;

/** Tells people of what is wrong as long as it is: each look raises what stands, and clears what does not. */
export class Conditions {
  readonly #options: ConditionsOptions;
  readonly #patience: Patience;

  constructor(options: ConditionsOptions) {
    const { alarms, clock } = options;
    this.#options = options;
    this.#patience = new Patience({
      nowMs: () => clock.monotonicMs(),
      stands: (kind, subject) => alarms.stands(kind, subject),
    });
  }

  /** Until the signal. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: trustMessages.conditionsNotLookedAt } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.look(), options);
  }

  async look(): Promise<void> {
    const { alarms } = this.#options;
    const standing = await this.#standing();
    for (const condition of standing) await alarms.raise(condition);
    for (const kind of conditionKinds) {
      const subjects = standing.filter((one) => one.kind === kind).map(({ subject }) => subject);
      await alarms.settle(kind, subjects);
    }
  }

  async #standing(): Promise<Condition[]> {
    const { facts, clock } = this.#options;
    const patience = this.#patience;
    const states = await facts.datasets();
    const { roster } = facts;
    const lostSites = facts.lostSites();
    const siteOf = ({ writer }: DatasetState['dataset']) => roster.member(writer)?.site ?? '';
    const isAway = (dataset: DatasetState['dataset']) => lostSites.includes(siteOf(dataset));
    const about = { roster, patience, isAway, nowMs: clock.nowMs() };
    const datasetsAt = (site: string) =>
      states.filter(({ dataset }) => siteOf(dataset) === site).map(({ dataset }) => dataset.name);
    const standing = [
      ...datasetConditions(states, about),
      ...configuredConditions(await this.#unknown(states), about),
      ...siteConditions(lostSites, datasetsAt),
      ...quorumConditions(facts.coordinator(), patience),
      ...clockConditions(facts.clocks(), facts.self, patience),
      ...roomConditions(facts.room(), facts.self),
      ...lossConditions(facts.lostPacks(), patience),
    ];
    patience.forgetUnseen();
    return standing;
  }

  async #unknown(
    states: readonly DatasetState[],
  ): Promise<{ name: string; firstSeenMs: number }[]> {
    const { facts, firstSeen } = this.#options;
    const known = new Set(states.map(({ dataset }) => dataset.name));
    const unknown: { name: string; firstSeenMs: number }[] = [];
    for (const name of facts.configured) {
      if (known.has(name)) continue;
      unknown.push({ name, firstSeenMs: await firstSeen.of(`dataset ${name}`) });
    }
    return unknown;
  }
}
