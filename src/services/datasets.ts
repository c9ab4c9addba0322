import { assert } from '../base/assert.ts';
import { utf8 } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Dataset } from '../core/format/records.ts';
import { clusterStream } from '../core/format/statement.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { idOf } from '../core/ids.ts';
import type { KeyValue } from '../ports/key-value.ts';
import type { Entropy } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { SecretStore } from '../ports/secrets.ts';
import type { Chunking } from '../ports/source.ts';
import { DatasetIndex } from './dataset-index.ts';
import type { Ledger } from './ledger.ts';

export type DatasetsOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly sealer: Sealer;
  readonly entropy: Entropy;
  readonly secrets: SecretStore;
  readonly store: KeyValue;
};

/** A dataset that this agent may write. */
export type OwnDataset = {
  readonly dataset: Dataset;
  readonly chunking: Chunking;
  readonly index: DatasetIndex;
};

/** The datasets that this agent is the source of. */
export class Datasets {
  readonly #options: DatasetsOptions;
  readonly #open = new Map<string, Promise<OwnDataset>>();

  constructor(options: DatasetsOptions) {
    this.#options = options;
  }

  /** Somebody has a dataset of this name. */
  isKnown(name: string): boolean {
    return this.#options.ledger.roster.datasets().some((dataset) => dataset.name === name);
  }

  /** The dataset of this name; created when nobody has one. @throws HoldfastError not-permitted | key-needed */
  ensure(name: string, chunkAverage: number): Promise<OwnDataset> {
    // One index for each dataset, whoever asks at the same moment: two would hand out the same pack ordinals.
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const opening = this.#ensure(name, chunkAverage);
    this.#open.set(name, opening);
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  async #ensure(name: string, chunkAverage: number): Promise<OwnDataset> {
    const { ledger, self } = this.#options;
    const named = ledger.roster.datasets().filter((dataset) => dataset.name === name);
    // What another says in our name or under our id does not keep us from our own.
    const known = named.find((dataset) => dataset.writer === self) ?? named[0];
    if (known !== undefined && known.writer !== self) {
      throw new HoldfastError('not-permitted', `dataset ${name} belongs to another source`, {
        next: 'holdfast backup --dataset ANOTHER-NAME PATH',
      });
    }
    const id = known?.id ?? (await this.#create(name, chunkAverage));
    return this.#load(id);
  }

  /**
   * The epoch identity exists only between these lines: it is wrapped for the recovery kit and for those
   * operators who may read, and dropped. What stays here seals packs and opens none.
   */
  async #create(name: string, chunkAverage: number): Promise<DatasetId> {
    const { ledger, sealer, entropy, secrets } = this.#options;
    const id = idOf<DatasetId>(entropy.bytes(16));
    const { identity, recipient } = await sealer.generate();
    const { genesis } = ledger.roster;
    const readers = genesis.operators
      .map((operator) => operator.recipient)
      .filter((text) => text !== '');
    const wrappedIdentity = await sealer.seal(
      [genesis.recoveryRecipient, ...readers],
      utf8(identity),
    );
    await secrets.write(`dataset-${id}`, entropy.bytes(72));
    await ledger.append(clusterStream, {
      kind: 'dataset',
      id,
      name,
      chunkMin: chunkAverage / 4,
      chunkAverage,
      chunkMax: chunkAverage * 4,
      keyEpoch: 1,
      recipient,
      wrappedIdentity,
    });
    return id;
  }

  async #load(id: DatasetId): Promise<OwnDataset> {
    const { ledger, secrets, store } = this.#options;
    const dataset = ledger.roster.datasetOf(this.#options.self, id);
    assert(dataset !== undefined, 'an own dataset is in the roster');
    const secret = await secrets.read(`dataset-${id}`);
    if (secret === undefined || secret.length !== 72) {
      throw new HoldfastError(
        'key-needed',
        `the deduplication keys of dataset ${dataset.name} are gone`,
        {
          next: 'back up under a new name: holdfast backup --dataset NEW-NAME PATH',
        },
      );
    }
    const chunking: Chunking = {
      min: dataset.chunkMin,
      average: dataset.chunkAverage,
      max: dataset.chunkMax,
      cutKey: secret.slice(0, 40),
      idKey: secret.slice(40),
    };
    return { dataset, chunking, index: await DatasetIndex.open(store, id) };
  }
}
