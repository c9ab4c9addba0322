import { equal } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import type { EpochName } from '../format/key-record.ts';
import type { Dataset, Manifest } from '../format/records.ts';
import { isZeroHash, type Statement } from '../format/statement.ts';
import { type AgentKey, type DatasetId, type FactHash, idBytes } from '../ids.ts';
import { limits } from '../limits.ts';

/** A dataset as its source last described it. */
export type DatasetRecord = Dataset & {
  readonly writer: AgentKey;
  /**
   * The first name that it had. Rules of the policy go by it: a source that renames its dataset must not get
   * another rule for the snapshots that it has.
   */
  readonly ruleName: string;
};

/** A key epoch as the dataset's source has begun it. */
export type KeyEpoch = EpochName & {
  /** age recipient that packs are sealed to. */
  readonly recipient: string;
  /** The key record that it began with; undefined: the identity stands in the statement. */
  readonly wrap: FactHash | undefined;
  readonly wrappedIdentity: Uint8Array;
  /** By the source's clock. */
  readonly timeMs: number;
};

type Entry = {
  record: DatasetRecord;
  readonly epochs: Map<number, KeyEpoch>;
  newest: Manifest | undefined;
};

/**
 * Datasets and the progress of their manifests. Kept by writer and id: a writer that claims another's id
 * gets a dataset of its own and cannot touch the other's.
 */
export class DatasetBook {
  readonly #entries = new Map<string, Entry>();

  all(): readonly DatasetRecord[] {
    return [...this.#entries.values()].map(({ record }) => record);
  }

  of(writer: AgentKey, id: DatasetId): DatasetRecord | undefined {
    return this.#entries.get(`${writer}/${id}`)?.record;
  }

  /** Among `all`, by id, unique name, or id prefix of 4 characters or more. @throws HoldfastError not-found | ambiguous */
  find(text: string, all: readonly DatasetRecord[] = this.all()): DatasetRecord {
    const tries = [
      all.filter(({ id }) => id === text),
      all.filter(({ name }) => name === text),
      text.length < 4 ? [] : all.filter(({ id }) => id.startsWith(text)),
    ];
    const found = tries.find((records) => records.length > 0) ?? [];
    if (found.length > 1) {
      throw new HoldfastError('ambiguous', `${found.length} datasets answer to "${text}"`, {
        next: 'holdfast status',
        details: { ids: found.map(({ id }) => id).join(' ') },
      });
    }
    if (found[0] !== undefined) return found[0];
    throw new HoldfastError('not-found', `there is no dataset "${text}"`, {
      next: 'holdfast status',
    });
  }

  /** @throws HoldfastError rollback */
  checkDataset(dataset: Dataset, writer: AgentKey): void {
    const before = this.of(writer, dataset.id);
    if (dataset.keyEpoch > limits.keyEpochsMax) {
      throw new HoldfastError('limit-exceeded', `dataset "${dataset.name}" has too many epochs`);
    }
    // By the writer's own sequence alone, so all members decide alike.
    const count =
      before === undefined ? this.all().filter((one) => one.writer === writer).length : 0;
    if (count >= limits.datasetsPerWriterMax) {
      throw new HoldfastError('limit-exceeded', `its writer has ${count} datasets already`);
    }
    if (before === undefined || dataset.keyEpoch > before.keyEpoch) return;
    if (dataset.keyEpoch < before.keyEpoch) {
      throw new HoldfastError(
        'rollback',
        `dataset "${dataset.name}" goes back to an old key epoch`,
      );
    }
    const isSame =
      dataset.recipient === before.recipient &&
      dataset.wrap === before.wrap &&
      equal(dataset.wrappedIdentity, before.wrappedIdentity);
    if (isSame) return;
    // Who can open an epoch is for operators to change: a thief of the source would lock them out.
    throw new HoldfastError('rollback', `dataset "${dataset.name}" changes its key in one epoch`);
  }

  addDataset(dataset: Dataset, writer: AgentKey, timeMs: number): void {
    const key = `${writer}/${dataset.id}`;
    const known = this.#entries.get(key);
    const epochs = known?.epochs ?? new Map<number, KeyEpoch>();
    const ruleName = known?.record.ruleName ?? dataset.name;
    const record = { ...dataset, writer, ruleName };
    this.#entries.set(key, { record, epochs, newest: known?.newest });
    const { id, keyEpoch: epoch, recipient, wrap, wrappedIdentity } = dataset;
    if (epochs.has(epoch)) return;
    epochs.set(epoch, { writer, dataset: id, epoch, recipient, wrap, wrappedIdentity, timeMs });
  }

  /** Oldest first. */
  epochsOf(writer: AgentKey, id: DatasetId): readonly KeyEpoch[] {
    return [...(this.#entries.get(`${writer}/${id}`)?.epochs.values() ?? [])];
  }

  epoch({ writer, dataset, epoch }: EpochName): KeyEpoch | undefined {
    return this.#entries.get(`${writer}/${dataset}`)?.epochs.get(epoch);
  }

  /**
   * Whether a manifest continues its dataset. The chain of its sequence has been checked.
   * @throws HoldfastError not-found (the dataset, so far) | bad-encoding | rollback
   */
  checkManifest(manifest: Manifest, statement: Statement): void {
    const entry = this.#entries.get(`${statement.writer}/${manifest.dataset}`);
    if (entry === undefined) {
      throw new HoldfastError('not-found', 'the manifest is of a dataset that its writer has not');
    }
    const { record, newest } = entry;
    if (manifest.sequence !== statement.sequence || !isSamePrevious(manifest, statement)) {
      throw new HoldfastError('bad-encoding', 'manifest and statement differ in their sequence');
    }
    if (manifest.keyEpoch > record.keyEpoch) {
      throw new HoldfastError('not-found', 'the manifest is of a key epoch that is not known yet');
    }
    if (newest === undefined) return;
    if (manifest.keyEpoch < newest.keyEpoch || manifest.writerEpoch < newest.writerEpoch) {
      throw new HoldfastError('rollback', `dataset "${record.name}" goes back to an old epoch`);
    }
  }

  addManifest(manifest: Manifest, writer: AgentKey): void {
    const entry = this.#entries.get(`${writer}/${manifest.dataset}`);
    if (entry !== undefined) entry.newest = manifest;
  }
}

function isSamePrevious(manifest: Manifest, statement: Statement): boolean {
  if (manifest.previous === undefined) return isZeroHash(statement.previous);
  return equal(idBytes(manifest.previous), statement.previous);
}
