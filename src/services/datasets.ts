import { assert } from '../base/assert.ts';
import { HoldfastError } from '../core/errors.ts';
import { byKind, encodeKeyRecord, recipientId } from '../core/format/key-record.ts';
import type { Dataset } from '../core/format/records.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import { clusterStream } from '../core/format/statement.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { idOf, shortId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { KeyBook } from '../core/protocol/control/key-book.ts';
import type { EpochMint, KeyRecordStore } from '../ports/key-records.ts';
import type { KeyValue } from '../ports/key-value.ts';
import type { Entropy } from '../ports/runtime.ts';
import type { SecretStore } from '../ports/secrets.ts';
import type { Chunking } from '../ports/source.ts';
import { DatasetIndex } from './dataset-index.ts';
import type { Ledger } from './ledger.ts';

export type DatasetsOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly mint: EpochMint;
  readonly keyRecords: KeyRecordStore;
  /** What operators have decided, as far as it is known here. */
  readonly keys: () => Pick<KeyBook, 'kit' | 'recipientsOf' | 'isDestroyed'>;
  readonly entropy: Entropy;
  readonly secrets: SecretStore;
  readonly store: KeyValue;
  /** The control log says that this host holds the dataset that another has founded. */
  readonly isHolder: (dataset: DatasetId) => boolean;
};

/** A dataset that this agent may write. */
export type OwnDataset = {
  readonly dataset: Dataset;
  readonly chunking: Chunking;
  readonly index: DatasetIndex;
  /** Nobody can open packs of this key epoch any more. */
  readonly isKeyGone: (keyEpoch: number) => boolean;
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

  /**
   * The dataset of this name; created when nobody has one, and where another has written it until this host became its
   * holder: then under the same id, with keys of this host's own. One whose key operators have destroyed gets another.
   * @throws HoldfastError not-permitted | key-needed
   */
  async ensure(name: string, chunkAverage: number): Promise<OwnDataset> {
    const own = await this.#ensureOpen(name, chunkAverage);
    if (!own.isKeyGone(own.dataset.keyEpoch)) return own;
    await this.rotate(own.dataset.id, { isFresh: false });
    return this.#ensureOpen(name, chunkAverage);
  }

  #ensureOpen(name: string, chunkAverage: number): Promise<OwnDataset> {
    // One index for each dataset, whoever asks at the same moment: two would hand out the same pack ordinals.
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const opening = this.#ensure(name, chunkAverage);
    this.#open.set(name, opening);
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  async #ensure(name: string, chunkAverage: number): Promise<OwnDataset> {
    const { ledger, self, isHolder } = this.#options;
    const named = ledger.roster.datasets().filter((dataset) => dataset.name === name);
    // What another says in our name or under our id does not keep us from our own.
    const known = named.find((dataset) => dataset.writer === self) ?? named[0];
    if (known === undefined) return this.#load(await this.#create({ name, chunkAverage }));
    const { id, writer } = known;
    if (writer === self) return this.#load(id);
    if (!isHolder(id)) {
      throw new HoldfastError('not-permitted', `dataset ${name} belongs to another source`, {
        next: `holdfast dataset show ${name}; for other data: holdfast backup --dataset ANOTHER-NAME PATH`,
      });
    }
    await this.#create({ name, id, chunkAverage: known.chunkAverage });
    return this.#load(id);
  }

  /**
   * Future packs of an own dataset are sealed to a new key; what is stored stays as it is. `isFresh`: the next
   * backup stores everything anew, so that none of its snapshots needs an older key.
   * @throws HoldfastError not-found | not-permitted | limit-exceeded
   */
  async rotate(name: string, { isFresh }: { readonly isFresh: boolean }): Promise<Dataset> {
    const { ledger, self } = this.#options;
    const known = ledger.roster.dataset(name, this.#ownFirst());
    if (known.writer !== self) {
      const source = ledger.roster.member(known.writer)?.name ?? shortId(known.writer);
      throw new HoldfastError('not-permitted', `only its source makes a key of ${known.name}`, {
        next: `on ${source}: holdfast key rotate ${known.name}`,
      });
    }
    await ledger.ready();
    const own = await this.#ensureOpen(known.name, known.chunkAverage);
    let epoch = own.dataset.keyEpoch + 1;
    while (this.#options.keys().isDestroyed({ writer: self, dataset: known.id, epoch })) epoch++;
    const key = await this.#newEpoch(known.id, epoch);
    await ledger.append(clusterStream, { kind: 'dataset', ...own.dataset, ...key });
    if (isFresh) await own.index.startAfresh(epoch);
    const dataset = { ...own.dataset, ...key };
    // A backup that is under way goes on with the key that it began with.
    this.#open.set(known.name, Promise.resolve({ ...own, dataset }));
    return dataset;
  }

  /** What this agent writes itself of a dataset; undefined: nothing. */
  async own(id: DatasetId): Promise<OwnDataset | undefined> {
    const { ledger, self } = this.#options;
    const record = ledger.roster.datasetOf(self, id);
    return record === undefined ? undefined : this.#ensureOpen(record.name, record.chunkAverage);
  }

  /** Records of all datasets, of those that this host writes its own alone. */
  #ownFirst(): readonly DatasetRecord[] {
    const { ledger, self } = this.#options;
    const all = ledger.roster.datasets();
    const own = new Set(all.filter(({ writer }) => writer === self).map(({ id }) => id));
    return all.filter(({ id, writer }) => writer === self || !own.has(id));
  }

  /** What stays here seals packs and opens none: the mint forgets the identity. */
  async #newEpoch(
    dataset: DatasetId,
    epoch: number,
  ): Promise<Pick<Dataset, 'keyEpoch' | 'recipient' | 'wrap' | 'wrappedIdentity'>> {
    const { self, mint, keyRecords } = this.#options;
    if (epoch > limits.keyEpochsMax) {
      throw new HoldfastError(
        'limit-exceeded',
        'this dataset has had as many keys as it may have',
        {
          next: 'back up under a new name: holdfast backup --dataset NEW-NAME PATH',
        },
      );
    }
    const keys = this.#options.keys();
    const { kit } = keys;
    const readers = keys.recipientsOf({ writer: self, dataset }).map(({ recipient }) => recipient);
    const { recipient, files } = await mint.mint(byKind([kit.recipient, ...readers]));
    const { hash, bytes } = encodeKeyRecord({
      writer: self,
      dataset,
      epoch,
      kitVersion: kit.version,
      recipients: readers.map(recipientId).sort(),
      files,
    });
    // Before the statement that names it: every member asks for it as soon as it has read that.
    await keyRecords.put(hash, bytes);
    return { keyEpoch: epoch, recipient, wrap: hash, wrappedIdentity: new Uint8Array() };
  }

  async #create(of: {
    readonly name: string;
    readonly chunkAverage: number;
    /** Of the dataset that this host goes on with; undefined: a new one. */
    readonly id?: DatasetId;
  }): Promise<DatasetId> {
    const { ledger, entropy, secrets } = this.#options;
    const { name, chunkAverage } = of;
    const id = of.id ?? idOf<DatasetId>(entropy.bytes(16));
    const key = await this.#newEpoch(id, 1);
    await secrets.write(`dataset-${id}`, entropy.bytes(72));
    await ledger.append(clusterStream, {
      kind: 'dataset',
      id,
      name,
      chunkMin: chunkAverage / 4,
      chunkAverage,
      chunkMax: chunkAverage * 4,
      ...key,
    });
    return id;
  }

  async #load(id: DatasetId): Promise<OwnDataset> {
    const { ledger, secrets, store } = this.#options;
    const record = ledger.roster.datasetOf(this.#options.self, id);
    assert(record !== undefined, 'an own dataset is in the roster');
    const { writer: _, ...dataset } = record;
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
    const isKeyGone = (epoch: number): boolean =>
      this.#options.keys().isDestroyed({ writer: record.writer, dataset: id, epoch });
    return { dataset, chunking, index: await DatasetIndex.open(store, id), isKeyGone };
  }
}
