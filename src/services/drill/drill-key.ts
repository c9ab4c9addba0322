import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { decodeKeyRecord } from '../../core/format/key-record.ts';
import { keyEpochsOf } from '../../core/format/manifest.ts';
import type { Roster } from '../../core/protocol/roster.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { SecretStore } from '../../ports/secrets.ts';
import type { KeyKeeper } from '../keys/key-keeper.ts';
import { openEpoch } from '../keys/key-ring.ts';
import type { ManifestRecord } from '../ledger.ts';

export type DrillKeyOptions = {
  readonly secrets: SecretStore;
  readonly sealer: Sealer;
  readonly keys: Pick<KeyKeeper, 'record'>;
  readonly roster: Pick<Roster, 'keyEpoch'>;
};

const name = 'drill-key';

/**
 * What this host drills with where no person is: an identity of its own, which opens nothing until somebody who
 * holds the kit makes it a recipient of a dataset. It is as good as the kit for that dataset, and lies on this disk.
 */
export class DrillKey {
  readonly #options: DrillKeyOptions;

  constructor(options: DrillKeyOptions) {
    this.#options = options;
  }

  /** Made when it is asked for first. Durable when resolved. */
  async recipient(): Promise<string> {
    const { secrets, sealer } = this.#options;
    const known = await this.#identity();
    if (known !== undefined) return sealer.recipientOf(known);
    const { identity, recipient } = await sealer.generate();
    await secrets.write(name, utf8(identity));
    return recipient;
  }

  async #identity(): Promise<string | undefined> {
    const secret = await this.#options.secrets.read(name);
    return secret === undefined || secret.length === 0 ? undefined : fromUtf8(secret);
  }

  /** Of every epoch whose packs a snapshot needs, newest first. @throws HoldfastError key-needed | wrong-key | corrupt */
  async identitiesOf({ manifest, statement }: ManifestRecord): Promise<string[]> {
    const { keys, roster, sealer } = this.#options;
    const own = await this.#identity();
    if (own === undefined) throw keyNeeded('this host has no drill key yet');
    const identities: string[] = [];
    for (const epoch of keyEpochsOf(manifest)) {
      const of = { writer: statement.writer, dataset: manifest.dataset, epoch };
      const [known, record] = [roster.keyEpoch(of), await keys.record(of)];
      if (known === undefined || record === undefined) {
        throw keyNeeded(`the key record of epoch ${epoch} is not here`);
      }
      const { files } = decodeKeyRecord(record);
      identities.unshift(await opened(openEpoch(known, { files, identities: [own], sealer })));
    }
    return identities;
  }
}

async function opened(opening: Promise<string>): Promise<string> {
  try {
    return await opening;
  } catch (error) {
    if (codeOf(error) !== 'wrong-key') throw error;
    throw new HoldfastError('wrong-key', 'the drill key of this host may not open this dataset', {
      next: 'holdfast drill key, and on a host where the kit is: holdfast key add',
      cause: error,
    });
  }
}

function keyNeeded(why: string): HoldfastError {
  return new HoldfastError('key-needed', `no drill without a person: ${why}`, {
    next: 'holdfast drill key, on the host that drills',
  });
}
