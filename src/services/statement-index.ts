import type { Manifest, Receipt } from '../core/format/records.ts';
import type { Statement } from '../core/format/statement.ts';
import type { AgentKey, DatasetId, StatementHash } from '../core/ids.ts';

export type ManifestRecord = {
  /** The snapshot id. */
  readonly hash: StatementHash;
  readonly statement: Statement;
  readonly manifest: Manifest;
};

export type ReceiptRecord = {
  readonly agent: AgentKey;
  readonly hash: StatementHash;
  readonly statement: Statement;
  readonly receipt: Receipt;
};

/** Manifests and receipts that have been accepted, by what they are asked for. */
export class StatementIndex {
  readonly #manifests = new Map<StatementHash, ManifestRecord>();
  readonly #byDataset = new Map<DatasetId, ManifestRecord[]>();
  readonly #receipts = new Map<StatementHash, Map<AgentKey, ReceiptRecord>>();
  /** When each agent first signed for a manifest, by its clock. */
  readonly #witnessed = new Map<StatementHash, Map<AgentKey, number>>();

  /** Entries of one sequence must come in their order. */
  add(statement: Statement, hash: StatementHash): void {
    const { body, writer } = statement;
    if (body.kind === 'manifest') {
      const record = { hash, statement, manifest: body };
      this.#manifests.set(hash, record);
      const records = this.#byDataset.get(body.dataset);
      if (records === undefined) this.#byDataset.set(body.dataset, [record]);
      else records.push(record);
    } else if (body.kind === 'receipt') {
      const receipts = this.#receipts.get(body.manifest) ?? new Map<AgentKey, ReceiptRecord>();
      receipts.set(writer, { agent: writer, hash, statement, receipt: body });
      this.#receipts.set(body.manifest, receipts);
      const witnessed = this.#witnessed.get(body.manifest) ?? new Map<AgentKey, number>();
      // Later ones tell of what was repaired since.
      if (!witnessed.has(writer)) witnessed.set(writer, statement.timeMs);
      this.#witnessed.set(body.manifest, witnessed);
    }
  }

  /** Of one dataset in their sequence, or of all by the writers' clocks; newest last. */
  manifests(dataset?: DatasetId): ManifestRecord[] {
    if (dataset !== undefined) {
      return (this.#byDataset.get(dataset) ?? []).toSorted(
        (a, b) => a.manifest.sequence - b.manifest.sequence,
      );
    }
    return [...this.#manifests.values()].sort((a, b) => a.statement.timeMs - b.statement.timeMs);
  }

  manifest(hash: StatementHash): ManifestRecord | undefined {
    return this.#manifests.get(hash);
  }

  /** The newest of each agent, whether or not the manifest is known here. */
  receipts(manifest: StatementHash): ReceiptRecord[] {
    return [...(this.#receipts.get(manifest)?.values() ?? [])];
  }

  /** When each agent first signed that it holds the manifest, by its own clock. */
  witnessed(manifest: StatementHash): ReadonlyMap<AgentKey, number> {
    return this.#witnessed.get(manifest) ?? new Map();
  }

  allReceipts(): ReceiptRecord[] {
    return [...this.#receipts.values()].flatMap((receipts) => [...receipts.values()]);
  }
}
