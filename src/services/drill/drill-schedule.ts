import { minuteMs } from '../../base/units.ts';
import { utf8 } from '../../base/bytes.ts';
import { hash } from '../../core/crypto/hash.ts';
import { codeOf, type HoldfastError } from '../../core/errors.ts';
import type { AgentKey, DatasetId } from '../../core/ids.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import { nextDrillMs } from '../../core/policy/drill-due.ts';
import { isWithin } from '../../core/policy/load-window.ts';
import type { DrillRule } from '../../core/policy/policy-terms.ts';
import type { DatasetRecord, Roster } from '../../core/protocol/roster.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import type { DatasetLines } from '../dataset-lines.ts';
import { type DrillHistory, isRehearsal } from './drill-history.ts';

export type DrillScheduleOptions = {
  readonly lines: Pick<DatasetLines, 'all' | 'line'>;
  readonly roster: Pick<Roster, 'ruleFor' | 'epochsOf' | 'member'>;
  readonly history: Pick<DrillHistory, 'of'>;
  readonly self: AgentKey;
  /** A backup or a restore uses this host now. */
  readonly isBusy: () => boolean;
  /** Drills, and has the report signed. @throws HoldfastError */
  readonly drill: (dataset: DatasetRecord, options: Cancel) => Promise<void>;
  readonly alarms: Pick<Alarms, 'raise' | 'settle'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** What this host will do about a dataset, and why not now. */
export type PlannedDrill = {
  readonly dataset: DatasetRecord;
  readonly rule: DrillRule & { readonly everyMs: number };
  /** Not: others do, or a person; source: a host never opens what it has backed up. */
  readonly part: 'drills' | 'not' | 'source';
  readonly nextMs: number;
  /** Why the newest attempt came to nothing. */
  readonly problem: string | undefined;
};

const periodMs = minuteMs;
/** What came to nothing is tried again after a tenth of the time between drills, but not sooner than this. */
const retryMinMs = 15 * minuteMs;

type Attempt = { readonly atMs: number; readonly problem: string };

/** Drills without a person, where the policy names this host: in time, within its hours, one after another. */
export class DrillSchedule {
  readonly #options: DrillScheduleOptions;
  readonly #attempts = new Map<DatasetId, Attempt>();

  constructor(options: DrillScheduleOptions) {
    this.#options = options;
  }

  /** Until the signal. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: trustMessages.noDrillBegun } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.look(cancel), options);
  }

  /** Of every dataset that the policy wants drilled. */
  planned(): PlannedDrill[] {
    const { lines, roster } = this.#options;
    return lines.all().flatMap((dataset): PlannedDrill[] => {
      const { drill } = roster.ruleFor(dataset.ruleName);
      if (drill?.everyMs === undefined) return [];
      const rule = { ...drill, everyMs: drill.everyMs };
      const part = this.#partIn(dataset, rule);
      const problem = this.#attempts.get(dataset.id)?.problem;
      return [{ dataset, rule, part, nextMs: this.#nextMs(dataset, rule.everyMs), problem }];
    });
  }

  #partIn({ writer }: DatasetRecord, { agents }: DrillRule): PlannedDrill['part'] {
    const { roster, self } = this.#options;
    const name = roster.member(self)?.name ?? '';
    if (!agents.includes(name)) return 'not';
    return writer === self ? 'source' : 'drills';
  }

  #nextMs({ id, writer }: DatasetRecord, everyMs: number): number {
    const { history, roster, self } = this.#options;
    const last = history
      .of(id)
      .findLast(({ report }) => report.outcome !== 'failed' && isRehearsal(report));
    const lastMs = last?.report.endedMs;
    const [a = 0, b = 0] = hash('path', utf8(`drill ${self} ${id} ${lastMs ?? 0}`));
    const sinceMs = roster.epochsOf(writer, id)[0]?.timeMs ?? 0;
    return nextDrillMs({ everyMs, sinceMs, lastMs, jitter: (a * 256 + b) / 65_536 });
  }

  /** One round: whatever is due, one after another. */
  async look(options: Cancel = {}): Promise<void> {
    const { alarms, clock } = this.#options;
    for (const planned of this.planned()) {
      options.signal?.throwIfAborted();
      if (this.#isDue(planned)) await this.#begin(planned, options);
    }
    // What somebody else has drilled meanwhile is not due, and so not blocked.
    const nowMs = clock.nowMs();
    const blocked = this.planned().filter(
      (one) => one.part === 'drills' && one.problem !== undefined && nowMs >= one.nextMs,
    );
    for (const { dataset, problem } of blocked) {
      const text = `${dataset.name} could not be drilled without a person: ${problem}`;
      const facts = { dataset: dataset.name };
      await alarms.raise({ kind: 'drill-blocked', subject: dataset.id, text, facts });
    }
    await alarms.settle(
      'drill-blocked',
      blocked.map(({ dataset }) => dataset.id),
    );
  }

  #isDue({ dataset, rule, part, nextMs }: PlannedDrill): boolean {
    const { clock, isBusy, lines } = this.#options;
    const nowMs = clock.nowMs();
    if (part !== 'drills' || nowMs < nextMs || isBusy()) return false;
    if (!isWithin(rule.window, nowMs) || lines.line(dataset.id).length === 0) return false;
    const attempt = this.#attempts.get(dataset.id);
    const retryMs = Math.max(retryMinMs, rule.everyMs / 10);
    return attempt === undefined || clock.monotonicMs() - attempt.atMs >= retryMs;
  }

  async #begin({ dataset }: PlannedDrill, options: Cancel): Promise<void> {
    const { clock, drill, log } = this.#options;
    const { id, name } = dataset;
    log.log('info', trustMessages.drillBegins, { dataset: name });
    try {
      await drill(dataset, options);
      this.#attempts.delete(id);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined || options.signal?.aborted === true) throw error;
      const { message, next } = error as HoldfastError;
      const problem = next === undefined ? message : `${message}. Next: ${next}`;
      this.#attempts.set(id, { atMs: clock.monotonicMs(), problem });
      log.log('warn', trustMessages.drillCameToNothing, { dataset: name, code, problem });
    }
  }
}
