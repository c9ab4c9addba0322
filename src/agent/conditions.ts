import { formatSpan } from '../base/quantity.ts';
import { dayMs, minuteMs, secondMs } from '../base/units.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { Cancel, Log } from '../ports/runtime.ts';
import type { Alarm } from '../services/alarms.ts';
import { repeat } from '../services/control/duty.ts';
import type { Agent } from './agent.ts';
import { coordinatorStatus } from './coordinator-api.ts';

const periodMs = 5 * secondMs;
/** An election, and a voter that restarts, are no trouble. */
const quorumPatienceMs = 1 * minuteMs;
/** For a dataset of which the policy says nothing. */
const firstBackupWithinMs = 1 * dayMs;

const kinds = ['never-backed-up', 'backup-late', 'site-lost', 'no-quorum'] as const;
type Condition = Alarm & { readonly kind: (typeof kinds)[number] };

/** Tells people of what is wrong as long as it is: each look raises what stands, and clears what does not. */
export class Conditions {
  readonly #agent: Agent;
  readonly #log: Log;
  readonly #startMs: number;
  #quorumMs: number;

  constructor(agent: Agent, log: Log) {
    this.#agent = agent;
    this.#log = log;
    this.#startMs = agent.clock.monotonicMs();
    this.#quorumMs = this.#startMs;
  }

  /** Until the signal. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: 'nobody looked at how things stand' } as const;
    const duty = { periodMs, clock: this.#agent.clock, log: this.#log, failure };
    return repeat(duty, (cancel) => this.look(cancel), options);
  }

  async look(options: Cancel = {}): Promise<void> {
    const { alarms } = this.#agent;
    const standing = [...(await this.#datasets()), ...this.#sites(), ...this.#quorum()];
    for (const condition of standing) await alarms.raise(condition, options);
    for (const kind of kinds) {
      const subjects = standing.filter((one) => one.kind === kind).map(({ subject }) => subject);
      await alarms.settle(kind, subjects, options);
    }
  }

  async #datasets(): Promise<Condition[]> {
    const { status, clock } = this.#agent;
    const states = await status.datasets();
    const known = new Set(states.map(({ dataset }) => dataset.name));
    const begun = states.flatMap(({ dataset, newest, snapshots }): Condition[] => {
      const rpoMs = this.#rpoMs(dataset);
      if (snapshots === 0) {
        const ageMs = clock.nowMs() - this.#sinceMs(dataset);
        return ageMs > (rpoMs ?? firstBackupWithinMs) ? [this.#never(dataset.name)] : [];
      }
      // Where a site is lost, what was committed may not be any more.
      const isCommitted = newest?.state === 'committed';
      const timeMs = isCommitted ? newest.record.statement.timeMs : 0;
      const ageMs = clock.nowMs() - timeMs;
      if (rpoMs === undefined || ageMs <= rpoMs) return [];
      return [this.#late(dataset, rpoMs)];
    });
    return [...begun, ...this.#notBegun(known)];
  }

  /** Configured here: nobody else can know of it. */
  #notBegun(known: ReadonlySet<string>): Condition[] {
    const { configuredDatasets, clock, ledger } = this.#agent;
    const upMs = clock.monotonicMs() - this.#startMs;
    return configuredDatasets
      .filter((name) => !known.has(name))
      .filter((name) => {
        const { rpoMs } = ledger.roster.ruleFor(name).objectives ?? {};
        return upMs > (rpoMs ?? firstBackupWithinMs);
      })
      .map((name) => this.#never(name));
  }

  #never(name: string): Condition {
    const text = `${name} was never backed up: no snapshot of it is committed. Next: holdfast backup --dataset ${name}, where it is`;
    return { kind: 'never-backed-up', subject: name, text, facts: { dataset: name } };
  }

  #late({ name, id }: DatasetRecord, rpoMs: number): Condition {
    const text = `the newest committed snapshot of ${name} is older than the ${formatSpan(rpoMs)} that the policy allows. Next: holdfast backup --dataset ${name}, where it is`;
    return { kind: 'backup-late', subject: id, text, facts: { dataset: name } };
  }

  #rpoMs({ ruleName }: DatasetRecord): number | undefined {
    return this.#agent.ledger.roster.ruleFor(ruleName).objectives?.rpoMs;
  }

  #sinceMs({ writer, id }: DatasetRecord): number {
    return this.#agent.ledger.roster.epochsOf(writer, id)[0]?.timeMs ?? 0;
  }

  #sites(): Condition[] {
    const { sites } = this.#agent.control.log.state;
    return this.#agent.ledger.roster
      .sites()
      .filter(({ site }) => sites.of(site)?.isLost === true)
      .map(({ site }) => ({
        kind: 'site-lost',
        subject: site,
        text: `a majority of the voters has lost sight of site ${site}. What is still safe, and what is made anew: holdfast status, holdfast repair --dry-run`,
        facts: { site },
      }));
  }

  #quorum(): Condition[] {
    const nowMs = this.#agent.clock.monotonicMs();
    const { hasQuorum, missing, quorum, voters, votersReachable } = coordinatorStatus(this.#agent);
    if (hasQuorum) this.#quorumMs = nowMs;
    if (nowMs - this.#quorumMs < quorumPatienceMs) return [];
    const who = missing.length === 0 ? 'nobody is elected' : `missing: ${missing.join(', ')}`;
    const text = `no quorum: ${votersReachable} of ${voters} voters are reachable from here and ${quorum} are needed (${who}). Nothing can be decided; restores with the kit need no quorum. Next: holdfast coordinator status`;
    return [
      { kind: 'no-quorum', subject: 'control log', text, facts: { missing: missing.join(' ') } },
    ];
  }
}
