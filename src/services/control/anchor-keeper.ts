import { secondMs } from '../../base/units.ts';
import { manifestStream } from '../../core/format/statement.ts';
import { limits } from '../../core/limits.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';
import { type UnanchoredOptions, unanchored } from './unanchored.ts';

export type AnchorKeeperOptions = UnanchoredOptions & {
  readonly control: Pick<ControlLog, 'isLeading' | 'submit'>;
  readonly ledger: Pick<Ledger, 'read'>;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;
/** Manifests in one entry, and their bytes: the rest of an envelope is for what is around them. */
const headsMax = 256;
const sizeMax = limits.statementSizeMax;
/** Tag and length of each. */
const fieldSize = 4;

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
    const failure = { level: 'info', message: controlMessages.headsNotAnchored } as const;
    return repeat(
      { ...this.#options, periodMs, failure },
      (cancel) => this.#anchorNew(cancel),
      options,
    );
  }

  async #anchorNew(options: Cancel): Promise<void> {
    const { control } = this.#options;
    if (!control.isLeading) return;
    const wish = { states: ['committed'], countMax: headsMax } as const;
    const manifests = await this.#envelopesOf(inOrder(await unanchored(this.#options, wish)));
    if (manifests.length === 0) return;
    await control.submit({ kind: 'anchor', manifests }, options);
  }

  /** As many as one entry takes; the others come with the next. */
  async #envelopesOf(heads: readonly ManifestRecord[]): Promise<Uint8Array[]> {
    const { ledger } = this.#options;
    const envelopes: Uint8Array[] = [];
    let size = 0;
    for (const { statement, manifest } of heads) {
      const stream = manifestStream(manifest.dataset);
      const { writer } = statement;
      const [envelope] = await ledger.read(writer, stream, manifest.sequence, 1);
      if (envelope === undefined) continue;
      size += envelope.length + fieldSize;
      if (envelopes.length > 0 && size > sizeMax) break;
      envelopes.push(envelope);
    }
    return envelopes;
  }
}

function inOrder(heads: readonly ManifestRecord[]): ManifestRecord[] {
  return [...heads].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

/** The order in which an entry must name them; members learn of datasets in any order. */
function placeOf({ statement, manifest }: ManifestRecord): string {
  return statement.writer + manifest.dataset;
}
