import { type AgentKey, type DatasetId, type StatementHash, shortId } from '../core/ids.ts';
import {
  type LineHistory,
  noHistory,
  type TrippedWire,
  trippedWires,
  type WireRule,
  withSnapshot,
} from '../core/policy/tripwire.ts';
import type { Cleared, ClearedBook } from '../core/protocol/control/cleared-book.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';

/** What is to be thought of a snapshot. */
export type Verdict =
  | { readonly state: 'clean' }
  /** Tripwires have marked it, and nobody has cleared it. */
  | { readonly state: 'suspect'; readonly wires: readonly TrippedWire[] }
  | { readonly state: 'cleared'; readonly wires: readonly TrippedWire[]; readonly by: Cleared }
  /** It looks as it should, and was made after one that does not. */
  | { readonly state: 'after-suspect'; readonly suspect: StatementHash };

export type SuspicionOptions = {
  readonly ledger: Pick<Ledger, 'manifests'>;
  readonly cleared: () => ClearedBook;
  /** What the policy says for a dataset. */
  readonly ruleOf: (dataset: DatasetId) => WireRule;
  /** Whether it can still be restored, as far as that was decided: its keys are there, and it has not expired. */
  readonly isUsable: (record: ManifestRecord) => boolean;
};

/** The snapshots of one dataset by one writer, oldest first, with what is to be thought of each. */
export type JudgedLine = readonly { readonly record: ManifestRecord; readonly verdict: Verdict }[];

/**
 * Which snapshots are suspect. Every member judges alike, from signed manifests, the policy and the log: the
 * source, which may be the one under attack, has no say.
 */
export class Suspicion {
  readonly #options: SuspicionOptions;

  constructor(options: SuspicionOptions) {
    this.#options = options;
  }

  /** Every line of every dataset, or of one. */
  lines(dataset?: DatasetId): readonly JudgedLine[] {
    const byLine = new Map<string, ManifestRecord[]>();
    for (const record of this.#options.ledger.manifests(dataset)) {
      const name = record.statement.writer + record.manifest.dataset;
      const line = byLine.get(name) ?? [];
      line.push(record);
      byLine.set(name, line);
    }
    return [...byLine.values()].map((records) => this.#judge(records));
  }

  /** Verdicts on all snapshots, by their hashes. */
  verdicts(dataset?: DatasetId): ReadonlyMap<StatementHash, Verdict> {
    const judged = this.lines(dataset).flat();
    return new Map(judged.map(({ record, verdict }) => [record.hash, verdict]));
  }

  /** Snapshots that nobody has cleared yet. */
  suspects(dataset?: DatasetId): JudgedLine {
    return this.lines(dataset)
      .flat()
      .filter(({ verdict }) => verdict.state === 'suspect');
  }

  /**
   * The newest snapshot that was made before the first suspect one of its line and can still be restored: what a
   * person will want back. It must not expire. Undefined while the line is not under suspicion.
   */
  lastClean(dataset: DatasetId, writer: AgentKey): ManifestRecord | undefined {
    const line =
      this.lines(dataset).find((one) => one[0]?.record.statement.writer === writer) ?? [];
    const first = line.findIndex(({ verdict }) => verdict.state === 'suspect');
    if (first < 1) return undefined;
    const before = line.slice(0, first).map(({ record }) => record);
    return before.findLast((record) => this.#options.isUsable(record));
  }

  /** What a person who is about to restore a snapshot should know of it; undefined: nothing. */
  noticeOf(record: ManifestRecord): string | undefined {
    const { manifest, statement, hash } = record;
    const verdict = this.verdicts(manifest.dataset).get(hash);
    const lastClean = this.lastClean(manifest.dataset, statement.writer);
    const instead =
      lastClean === undefined ? '' : `; the last one from before it is ${shortId(lastClean.hash)}`;
    if (verdict?.state === 'suspect') {
      const reasons = verdict.wires.map(({ reason }) => reason).join('; ');
      return `snapshot ${shortId(hash)} looks suspect (${reasons})${instead}`;
    }
    if (verdict?.state !== 'after-suspect') return undefined;
    const { suspect } = verdict;
    return `snapshot ${shortId(hash)} was made after ${shortId(suspect)}, which looks suspect${instead}`;
  }

  #judge(unsorted: ManifestRecord[]): JudgedLine {
    const records = unsorted.sort((a, b) => a.manifest.sequence - b.manifest.sequence);
    const cleared = this.#options.cleared();
    const [first] = records;
    if (first === undefined) return [];
    const rule = this.#options.ruleOf(first.manifest.dataset);
    let history: LineHistory = noHistory;
    let suspect: StatementHash | undefined;
    return records.map((record): JudgedLine[number] => {
      const { manifest, hash } = record;
      const wires = trippedWires(manifest, history, rule);
      const by = cleared.of(hash);
      const isTripped = wires.length > 0;
      if (isTripped && by === undefined) {
        suspect ??= hash;
        return { record, verdict: { state: 'suspect', wires } };
      }
      // What an attack has written is no measure of what is usual.
      if (suspect === undefined) history = withSnapshot(history, manifest.changes);
      if (isTripped && by !== undefined)
        return { record, verdict: { state: 'cleared', wires, by } };
      if (suspect !== undefined) return { record, verdict: { state: 'after-suspect', suspect } };
      return { record, verdict: { state: 'clean' } };
    });
  }
}
