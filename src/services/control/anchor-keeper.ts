import { secondMs } from '../../base/units.ts';
import type { AnchorHead } from '../../core/format/control-records.ts';
import { writerObjection } from '../../core/protocol/control/anchor-book.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { DurabilityView } from '../durability-view.ts';
import type { Ledger } from '../ledger.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';

export type AnchorKeeperOptions = {
  readonly control: Pick<ControlLog, 'isLeading' | 'state' | 'submit'>;
  readonly ledger: Pick<Ledger, 'roster' | 'manifests'>;
  readonly view: Pick<DurabilityView, 'assess'>;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;
/** Heads in one entry. */
const headsMax = 256;

/**
 * Writes into the control log, while this host leads it, which committed snapshot of each dataset is the newest:
 * from then on nobody can pass off an older one as the newest, or another history as the true one.
 */
export class AnchorKeeper {
  readonly #options: AnchorKeeperOptions;

  constructor(options: AnchorKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: 'heads were not anchored' } as const;
    return repeat(
      { ...this.#options, periodMs, failure },
      (cancel) => this.#anchorNew(cancel),
      options,
    );
  }

  async #anchorNew(options: Cancel): Promise<void> {
    const { control } = this.#options;
    if (!control.isLeading) return;
    const heads = await this.#newHeads();
    if (heads.length === 0) return;
    await control.submit({ kind: 'anchor', heads }, options);
  }

  async #newHeads(): Promise<AnchorHead[]> {
    const { control, ledger, view } = this.#options;
    const heads: AnchorHead[] = [];
    for (const { id, writer } of ledger.roster.datasets()) {
      if (writerObjection(control.state.members, writer) !== undefined) continue;
      const known = control.state.anchors.of(writer, id)?.head.sequence ?? 0;
      const records = ledger
        .manifests(id)
        .filter(
          ({ statement, manifest }) => statement.writer === writer && manifest.sequence > known,
        );
      for (const record of records.reverse()) {
        const { state } = await view.assess(record);
        if (state !== 'committed') continue;
        const { sequence } = record.manifest;
        heads.push({ writer, dataset: id, sequence, hash: record.hash });
        break;
      }
      if (heads.length >= headsMax) break;
    }
    return heads.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  }
}

/** The order in which an entry must name them; members learn of datasets in any order. */
function placeOf({ writer, dataset }: AnchorHead): string {
  return writer + dataset;
}
