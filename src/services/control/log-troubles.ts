import { minuteMs, secondMs } from '../../base/units.ts';
import type { AgentKey } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { knownFormat } from '../../core/protocol/control/format-book.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import type { Ledger } from '../ledger.ts';
import type { CheckpointKeeper } from './checkpoint-keeper.ts';
import type { ControlLog } from './control-log.ts';
import type { DecreeKeeper } from './decree-keeper.ts';
import { repeat } from './duty.ts';

const kinds = ['rival-decrees', 'forked-log', 'outdated-software'] as const;

/** What no host mends by itself. */
export type LogTrouble = {
  readonly kind: (typeof kinds)[number];
  /** Whom it is about: a member's name. */
  readonly subject: string;
  readonly text: string;
  readonly next: string;
};

export type LogTroublesOptions = {
  readonly control: Pick<ControlLog, 'outdatedBy' | 'self' | 'state' | 'status'>;
  readonly decrees: Pick<DecreeKeeper, 'rivals'>;
  readonly checkpoints: Pick<CheckpointKeeper, 'forks'>;
  readonly ledger: Pick<Ledger, 'roster'>;
  readonly alarms: Pick<Alarms, 'raise' | 'settle'>;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;
/** A host that has just started has not met everybody: what it was told of before may still be so. */
const lookAroundMs = 2 * minuteMs;

/** Knows what is wrong with the control log that people must mend, and tells them once of each. */
export class LogTroubles {
  readonly #options: LogTroublesOptions;
  readonly #startMs: number;

  constructor(options: LogTroublesOptions) {
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
  }

  all(): readonly LogTrouble[] {
    const { control, decrees, checkpoints } = this.#options;
    const isIn = (agent: AgentKey) => control.state.members.record(agent)?.expulsion === undefined;
    return [
      ...this.#outdated(),
      ...[...decrees.rivals].map((agent) => this.#rival(agent)),
      // Whoever was put out says nothing that counts any more.
      ...[...checkpoints.forks]
        .filter(([agent]) => isIn(agent))
        .map(([agent, size]) => this.#fork(agent, size)),
    ];
  }

  /** Until the signal. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: controlMessages.troublesNotTold } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.#tell(), options);
  }

  async #tell(): Promise<void> {
    const { alarms } = this.#options;
    const all = this.all();
    for (const { kind, subject, text, next } of all) {
      const facts = { member: subject, next };
      await alarms.raise({ kind, subject, text: `${text} Next: ${next}`, facts });
    }
    if (this.#options.clock.monotonicMs() - this.#startMs < lookAroundMs) return;
    for (const kind of kinds) {
      const subjects = all.filter((one) => one.kind === kind).map(({ subject }) => subject);
      await alarms.settle(kind, subjects);
    }
  }

  #outdated(): LogTrouble[] {
    const { outdatedBy, self } = this.#options.control;
    if (outdatedBy === undefined) return [];
    const text = `The control log is of format ${outdatedBy} and this host knows ${knownFormat}: it applies nothing more, and takes no part in decisions.`;
    const next = 'install the version that the other members run (holdfast peer list), and restart';
    return [{ kind: 'outdated-software', subject: this.#nameOf(self), text, next }];
  }

  #rival(agent: AgentKey): LogTrouble {
    const name = this.#nameOf(agent);
    const { generation } = this.#options.control.status();
    const text = `Two decrees have begun generation ${generation}: ${name} follows another one than this host. Two clusters decide, and nothing merges them.`;
    const next = 'holdfast coordinator decree prepare, on a host whose log is to be kept';
    return { kind: 'rival-decrees', subject: name, text, next };
  }

  #fork(agent: AgentKey, size: number): LogTrouble {
    const name = this.#nameOf(agent);
    const text = `${name} has signed another control log up to entry ${size} than this host has: a leader has lied, or one of the two hosts is not as it was made. Signatures of operators still hold; their order does not.`;
    const next = `compare holdfast coordinator status at other hosts; holdfast peer remove the one that is alone with its log, and let it join anew`;
    return { kind: 'forked-log', subject: name, text, next };
  }

  #nameOf(agent: AgentKey): string {
    return this.#options.ledger.roster.member(agent)?.name ?? agent.slice(0, 8);
  }
}
