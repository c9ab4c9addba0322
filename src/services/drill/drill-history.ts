import { HoldfastError } from '../../core/errors.ts';
import type { DatasetId } from '../../core/ids.ts';
import { type DrillState, drillState } from '../../core/policy/drill-due.ts';
import { type DrillReport, decodeDrillReport } from '../../core/policy/drill-report.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { DatasetRecord } from '../../core/protocol/roster.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { DrillRecord, Ledger } from '../ledger.ts';

export type KnownDrill = {
  readonly record: DrillRecord;
  readonly report: DrillReport;
  /** The control log fixes it: it can be neither changed nor left out any more. */
  readonly isAnchored: boolean;
};

export type DrillHistoryOptions = {
  readonly ledger: Pick<Ledger, 'drills' | 'roster'>;
  readonly state: () => Pick<ControlState, 'drills'>;
  readonly clock: Pick<Clock, 'nowMs'>;
};

/** All drills that members have told of. */
export class DrillHistory {
  readonly #options: DrillHistoryOptions;
  /** Reports are read once: there are many, and they never change. */
  readonly #read = new WeakMap<DrillRecord, DrillReport | HoldfastError>();

  constructor(options: DrillHistoryOptions) {
    this.#options = options;
  }

  /** Newest last, by the clocks of those who say so. Those that this version cannot read are left out. */
  all(): KnownDrill[] {
    const { ledger, state } = this.#options;
    const { drills } = state();
    return ledger.drills().flatMap((record) => {
      const report = this.#reportOf(record);
      if (report === undefined) return [];
      const { writer, sequence } = record.statement;
      return [{ record, report, isAnchored: sequence <= (drills.of(writer)?.sequence ?? 0) }];
    });
  }

  /** Of a dataset in the real cluster, newest last. */
  of(dataset: DatasetId): KnownDrill[] {
    return this.all().filter(
      ({ report }) => report.where === 'cluster' && report.dataset?.id === dataset,
    );
  }

  /** Whether it was rehearsed lately: a drill that has failed, or of one path, does not count. */
  stateOf({ id, ruleName, writer }: DatasetRecord): DrillState {
    const { ledger, clock } = this.#options;
    const good = this.of(id).findLast(
      ({ report }) => report.outcome !== 'failed' && isRehearsal(report),
    );
    return drillState({
      everyMs: ledger.roster.ruleFor(ruleName).drill?.everyMs,
      sinceMs: ledger.roster.epochsOf(writer, id)[0]?.timeMs ?? 0,
      lastMs: good?.report.endedMs,
      nowMs: clock.nowMs(),
    });
  }

  #reportOf(record: DrillRecord): DrillReport | undefined {
    let known = this.#read.get(record);
    if (known === undefined) {
      known = readable(record);
      this.#read.set(record, known);
    }
    return known instanceof HoldfastError ? undefined : known;
  }
}

/** Of the whole dataset, or a sample of it: not of one path. A validation restores nothing. */
export function isRehearsal({ where, kind, scope }: DrillReport): boolean {
  return where === 'cluster' && kind !== 'file' && kind !== 'validation' && scope !== 'path';
}

function readable({ report }: DrillRecord): DrillReport | HoldfastError {
  try {
    return decodeDrillReport(report);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}
