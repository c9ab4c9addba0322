import { secondMs } from '../base/units.ts';
import { shortId } from '../core/ids.ts';
import { trustMessages } from '../core/log-messages/trust.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { Alarms } from './alarms.ts';
import { repeat } from './control/duty.ts';
import type { Ledger } from './ledger.ts';
import type { Suspicion } from './suspicion.ts';

export type TripwireWatchOptions = {
  readonly ledger: Pick<Ledger, 'roster'>;
  readonly suspicion: Suspicion;
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;

/** Raises an alarm for each snapshot that becomes suspect; again after a restart, until somebody has cleared it. */
export class TripwireWatch {
  readonly #options: TripwireWatchOptions;

  constructor(options: TripwireWatchOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: trustMessages.snapshotsNotJudged } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.look(), options);
  }

  async look(): Promise<void> {
    const { suspicion, alarms, ledger } = this.#options;
    const standing: string[] = [];
    for (const { record, verdict } of suspicion.suspects()) {
      if (verdict.state !== 'suspect') continue;
      const { manifest, statement, hash } = record;
      standing.push(hash);
      const dataset = ledger.roster.datasetOf(statement.writer, manifest.dataset)?.name ?? '?';
      const reasons = verdict.wires.map(({ reason }) => reason).join('; ');
      const text = `snapshot ${shortId(hash)} of ${dataset} is suspect: ${reasons}. Look: holdfast tripwire show ${shortId(hash)}`;
      const facts = { dataset, snapshot: hash, reasons };
      await alarms.raise({ kind: 'suspect-snapshot', subject: hash, text, facts });
    }
    await alarms.settle('suspect-snapshot', standing);
  }
}
