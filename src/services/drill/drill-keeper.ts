import { formatSpan } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { drillStream } from '../../core/format/statement.ts';
import { type AgentKey, idOf, shortId } from '../../core/ids.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import type { ControlLog } from '../control/control-log.ts';
import { repeat } from '../control/duty.ts';
import type { DatasetLines } from '../dataset-lines.ts';
import type { Ledger } from '../ledger.ts';
import { DrillHistory } from './drill-history.ts';

export type DrillKeeperOptions = {
  readonly ledger: Pick<Ledger, 'drills' | 'head' | 'roster'>;
  readonly lines: Pick<DatasetLines, 'all'>;
  readonly control: Pick<ControlLog, 'state' | 'submit'>;
  readonly alarms: Pick<Alarms, 'raise' | 'settle'>;
  readonly self: AgentKey;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;

/** Has the control log fix the reports of this host, and tells people when a dataset was not rehearsed in time. */
export class DrillKeeper {
  readonly history: DrillHistory;
  readonly #options: DrillKeeperOptions;

  constructor(options: DrillKeeperOptions) {
    this.#options = options;
    const { ledger, control, clock } = options;
    this.history = new DrillHistory({ ledger, clock, state: () => control.state });
  }

  async run(options: Cancel): Promise<void> {
    const anchoring = { level: 'info', message: trustMessages.drillReportsNotAnchored } as const;
    const watching = { level: 'warn', message: trustMessages.drillsNotJudged } as const;
    const duty = { ...this.#options, periodMs };
    await Promise.all([
      repeat({ ...duty, failure: anchoring }, (cancel) => this.anchor(cancel), options),
      repeat({ ...duty, failure: watching }, () => this.watch(), options),
    ]);
  }

  async anchor(options: Cancel = {}): Promise<void> {
    const { ledger, control, self } = this.#options;
    const head = ledger.head(self, drillStream);
    if (head === undefined) return;
    if (head.sequence <= (control.state.drills.of(self)?.sequence ?? 0)) return;
    const body = { kind: 'drill', sequence: head.sequence, hash: idOf<never>(head.hash) } as const;
    await control.submit(body, options);
  }

  async watch(): Promise<void> {
    await this.#watchOverdue();
    await this.#watchMissed();
  }

  async #watchMissed(): Promise<void> {
    const { lines, alarms } = this.#options;
    const standing: string[] = [];
    for (const { id, name } of lines.all()) {
      const last = this.history.of(id).findLast(({ report }) => report.kind === 'dataset');
      if (last === undefined || last.report.outcome === 'passed') continue;
      const { hash } = last.record;
      const what =
        last.report.outcome === 'failed' ? 'has failed' : 'did not reach what the policy asks for';
      const text = `the last drill of ${name} ${what}. Why: holdfast drill show ${shortId(hash)}`;
      const subject = `${id} ${hash}`;
      standing.push(subject);
      const facts = { dataset: name, drill: hash, outcome: last.report.outcome };
      await alarms.raise({ kind: 'drill-missed', subject, text, facts });
    }
    await alarms.settle('drill-missed', standing);
  }

  async #watchOverdue(): Promise<void> {
    const { lines, alarms, ledger } = this.#options;
    const { history } = this;
    const standing: string[] = [];
    for (const dataset of lines.all()) {
      const state = history.stateOf(dataset);
      if (state !== 'overdue' && state !== 'never') continue;
      const { id, name, ruleName } = dataset;
      const every = formatSpan(ledger.roster.ruleFor(ruleName).drill?.everyMs ?? 0);
      const last = history.of(id).at(-1)?.record.hash ?? '';
      const what =
        state === 'never'
          ? `no restore of ${name} was ever rehearsed`
          : `the last good drill of ${name} is too long ago`;
      const text = `${what}: the policy asks for one every ${every}. Next: holdfast drill run dataset ${name} --kit FILE`;
      const subject = `${id} ${last}`;
      standing.push(subject);
      const alarm = { kind: 'drill-overdue', subject, text };
      await alarms.raise({ ...alarm, facts: { dataset: name, last } });
    }
    await alarms.settle('drill-overdue', standing);
  }
}
