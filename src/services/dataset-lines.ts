import type { AgentKey, DatasetId, StatementHash } from '../core/ids.ts';
import { type LineSegment, lineOf, placeIn } from '../core/protocol/control/dataset-line.ts';
import type { Incarnation } from '../core/protocol/control/incarnation-book.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';

/** What the control log says of a dataset; undefined: no plan has named it, or the log is not known here. */
export type KnownIncarnation = (dataset: DatasetId) => Incarnation | undefined;

/** Sequences are far below this: the place in the line comes first. */
const stretch = 2 ** 40;

/**
 * One history for each dataset, whoever has written it. Writers keep sequences and keys of their own, under one id; the
 * control log says who continues whom. Without it the writers' own word has to do: the highest incarnation is the
 * newest.
 */
export class DatasetLines {
  readonly #ledger: Ledger;
  readonly #known: KnownIncarnation;

  constructor(ledger: Ledger, known: KnownIncarnation = () => undefined) {
    this.#ledger = ledger;
    this.#known = known;
  }

  /** One record of each id: that of its newest writer. */
  all(): DatasetRecord[] {
    const byId = Map.groupBy(this.#ledger.roster.datasets(), ({ id }) => id);
    return [...byId].flatMap(([id, records]) => this.#newestOf(id, records) ?? []);
  }

  /** By id, unique name, or id prefix. @throws HoldfastError not-found | ambiguous */
  find(text: string): DatasetRecord {
    const records = this.all();
    return this.#ledger.roster.dataset(text, records);
  }

  /** Those that stand in the dataset's one history, oldest first. */
  line(dataset: DatasetId): ManifestRecord[] {
    const order = this.#order(dataset);
    const placed = this.#ledger.manifests(dataset).flatMap((record) => {
      const place = order(record);
      return place === undefined ? [] : [{ record, place }];
    });
    return placed.sort((a, b) => a.place - b.place).map(({ record }) => record);
  }

  /** Hashes of all snapshots that stand in their dataset's one history; of one dataset, or of all. */
  onLine(dataset?: DatasetId): ReadonlySet<StatementHash> {
    const datasets = dataset === undefined ? this.all().map(({ id }) => id) : [dataset];
    return new Set(datasets.flatMap((id) => this.line(id).map(({ hash }) => hash)));
  }

  /** Where each snapshot of a dataset stands in its history, growing with age; undefined: on a side line. */
  #order(dataset: DatasetId): (record: ManifestRecord) => number | undefined {
    const line = this.#lineOf(dataset);
    return ({ statement, manifest }) => {
      const { sequence } = manifest;
      const incarnation = incarnationOf(manifest);
      const place = placeIn(line, { writer: statement.writer, incarnation, sequence });
      return place === undefined ? undefined : (line.length - place) * stretch + sequence;
    };
  }

  #lineOf(dataset: DatasetId): readonly LineSegment[] {
    const known = this.#known(dataset);
    if (known === undefined) return this.#lineByWord(dataset);
    return lineOf(known.holders, ({ writer, sequence }) => {
      const found = this.#ledger
        .manifests(dataset)
        .find((one) => one.statement.writer === writer && one.manifest.sequence === sequence);
      return found === undefined ? undefined : incarnationOf(found.manifest);
    });
  }

  /** By what the writers say themselves. */
  #lineByWord(dataset: DatasetId): LineSegment[] {
    const segments = new Map<string, LineSegment>();
    for (const { statement, manifest } of this.#ledger.manifests(dataset)) {
      const { writer } = statement;
      const incarnation = incarnationOf(manifest);
      segments.set(`${incarnation}/${writer}`, { writer, incarnation, upTo: undefined });
    }
    return [...segments.values()].sort((a, b) => b.incarnation - a.incarnation);
  }

  #newestOf(id: DatasetId, records: readonly DatasetRecord[]): DatasetRecord | undefined {
    const byWriter = new Map<AgentKey, DatasetRecord>(records.map((one) => [one.writer, one]));
    for (const { writer } of this.#lineOf(id)) {
      const record = byWriter.get(writer);
      if (record !== undefined) return record;
    }
    return records[0];
  }
}

/** Under which incarnation a snapshot was written, by its writer's word. */
export function incarnationOf({ writerEpoch }: { readonly writerEpoch: number }): number {
  return Math.max(0, writerEpoch - 1);
}
