import type { FactRef, Manifest, Receipt } from '../core/format/records.ts';
import type { Statement } from '../core/format/statement.ts';
import type { AgentKey, DatasetId, FactHash, StatementHash } from '../core/ids.ts';

/** Where a statement stands, without what it says. */
export type StatementPlace = Pick<Statement, 'writer' | 'stream' | 'sequence' | 'timeMs'>;

/** A manifest without its list of packs, which may be long: see `Ledger.packSegments`. */
export type SnapshotHead = Omit<Manifest, 'packSegments'>;

export type ManifestRecord = {
  /** The snapshot id. */
  readonly hash: StatementHash;
  readonly statement: StatementPlace;
  readonly manifest: SnapshotHead;
  /** Undefined: the list is long and was left on disk. */
  readonly shortList: readonly FactRef[] | undefined;
};

export type ReceiptRecord = {
  readonly agent: AgentKey;
  readonly hash: StatementHash;
  readonly statement: StatementPlace;
  /** See `Ledger.holdings` for the rest. */
  readonly receipt: Omit<Receipt, 'holdings'>;
  /** Undefined: there are many, and they were left on disk. */
  readonly shortList: readonly FactHash[] | undefined;
};

export type DrillRecord = {
  readonly hash: StatementHash;
  readonly statement: StatementPlace;
  /** Canonical JSON, as it was signed. */
  readonly report: Uint8Array;
};

/**
 * Longer lists stay on disk: this one names the packs of 128 GiB. A writer can put 6000 into one statement, and
 * must not fill everybody's memory.
 */
const shortListMax = 8;

/** Smallest key first, equals as they came. Nearly everything comes in order, and is asked for much more often. */
class InOrder<Item> {
  readonly #key: (item: Item) => number;
  readonly #items: Item[] = [];
  #isInOrder = true;

  constructor(key: (item: Item) => number) {
    this.#key = key;
  }

  add(item: Item): void {
    const last = this.#items.at(-1);
    if (last !== undefined && this.#key(last) > this.#key(item)) this.#isInOrder = false;
    this.#items.push(item);
  }

  all(): readonly Item[] {
    if (!this.#isInOrder) this.#items.sort((a, b) => this.#key(a) - this.#key(b));
    this.#isInOrder = true;
    return this.#items;
  }
}

function byTime({ statement }: { readonly statement: StatementPlace }): number {
  return statement.timeMs;
}

function bySequence({ manifest }: ManifestRecord): number {
  return manifest.sequence;
}

/** Manifests, receipts and drill reports that have been accepted, by what they are asked for. */
export class StatementIndex {
  readonly #manifests = new Map<StatementHash, ManifestRecord>();
  readonly #inTime = new InOrder<ManifestRecord>(byTime);
  readonly #byDataset = new Map<DatasetId, InOrder<ManifestRecord>>();
  readonly #writers = new Map<DatasetId, Set<AgentKey>>();
  readonly #receipts = new Map<StatementHash, Map<AgentKey, ReceiptRecord>>();
  /** When each agent first signed for a manifest, by its clock. */
  readonly #witnessed = new Map<StatementHash, Map<AgentKey, number>>();
  readonly #texts = new Map<string, string>();

  readonly #drills = new InOrder<DrillRecord>(byTime);

  /** Entries of one sequence must come in their order. */
  add(statement: Statement, hash: StatementHash): void {
    const { body } = statement;
    if (body.kind === 'manifest') this.#addManifest(this.#placeOf(statement), body, hash);
    else if (body.kind === 'receipt') this.#addReceipt(this.#placeOf(statement), body, hash);
    else if (body.kind === 'drill') {
      this.#drills.add({ hash, statement: this.#placeOf(statement), report: body.report });
    }
  }

  #addManifest(statement: StatementPlace, body: Manifest, hash: StatementHash): void {
    const { packSegments, ...rest } = body;
    const dataset = this.#once(body.dataset);
    const [host, program] = [this.#once(body.host), this.#once(body.program)];
    const manifest = { ...rest, dataset, host, program };
    const record = { hash, statement, manifest, shortList: ifShort(packSegments) };
    this.#manifests.set(hash, record);
    this.#inTime.add(record);
    const records = this.#byDataset.get(dataset) ?? new InOrder(bySequence);
    records.add(record);
    this.#byDataset.set(dataset, records);
    const writers = this.#writers.get(dataset) ?? new Set();
    this.#writers.set(dataset, writers.add(statement.writer));
  }

  #addReceipt(statement: StatementPlace, body: Receipt, hash: StatementHash): void {
    const { holdings, ...receipt } = body;
    const { writer } = statement;
    const record = { agent: writer, hash, statement, receipt, shortList: ifShort(holdings) };
    const receipts = this.#receipts.get(body.manifest) ?? new Map<AgentKey, ReceiptRecord>();
    receipts.set(writer, record);
    this.#receipts.set(body.manifest, receipts);
    const witnessed = this.#witnessed.get(body.manifest) ?? new Map<AgentKey, number>();
    // Later ones tell of what was repaired since.
    if (!witnessed.has(writer)) witnessed.set(writer, statement.timeMs);
    this.#witnessed.set(body.manifest, witnessed);
  }

  /** Of one dataset in their sequence, or of all by the writers' clocks; newest last. */
  manifests(dataset?: DatasetId): readonly ManifestRecord[] {
    if (dataset === undefined) return this.#inTime.all();
    return this.#byDataset.get(dataset)?.all() ?? [];
  }

  /** Who has written manifests of a dataset. */
  writers(dataset: DatasetId): ReadonlySet<AgentKey> {
    return this.#writers.get(dataset) ?? new Set();
  }

  datasets(): Iterable<DatasetId> {
    return this.#byDataset.keys();
  }

  /** How many there are. */
  get manifestCount(): number {
    return this.#manifests.size;
  }

  /** By the writers' clocks, newest last. */
  drills(): DrillRecord[] {
    return [...this.#drills.all()];
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

  #placeOf({ writer, stream, sequence, timeMs }: Statement): StatementPlace {
    return { writer: this.#once(writer), stream: this.#once(stream), sequence, timeMs };
  }

  /** One copy of a text that stands in thousands of statements. */
  #once<Text extends string>(text: Text): Text {
    const known = this.#texts.get(text);
    if (known !== undefined) return known as Text;
    if (this.#texts.size >= textsMax) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}

/** Writers, datasets, host names: a cluster has a few hundred; whoever invents more gains nothing. */
const textsMax = 4096;

function ifShort<Item>(list: readonly Item[]): readonly Item[] | undefined {
  return list.length <= shortListMax ? list : undefined;
}
