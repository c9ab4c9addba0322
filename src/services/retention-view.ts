import type { AgentKey, DatasetId } from '../core/ids.ts';
import { lockEnd } from '../core/policy/lock.ts';
import { type RetentionDecision, retain, type SnapshotFacts } from '../core/policy/retention.ts';
import { hasSequence } from '../core/policy/sequence-ranges.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import { noFate, type SnapshotStage, stageOf } from '../core/protocol/control/fate.ts';
import type { LockLedger } from '../ports/lock-ledger.ts';
import type { DurabilityView } from './durability-view.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { PackUse } from './pack-use.ts';
import type { Suspicion } from './suspicion.ts';

export type RetentionViewOptions = {
  readonly ledger: Ledger;
  readonly view: Pick<DurabilityView, 'assess' | 'packs'>;
  readonly locks: LockLedger;
  readonly packUse: Pick<PackUse, 'isFrozen'>;
  readonly suspicion: Pick<Suspicion, 'verdicts'>;
  /** Its keys were destroyed. */
  readonly isShredded: (record: ManifestRecord) => boolean;
  readonly state: () => ControlState;
};

/** A snapshot with what retention makes of it. */
export type Judged = {
  readonly record: ManifestRecord;
  readonly decision: RetentionDecision;
  readonly stage: SnapshotStage;
  /** By this host's own locks; 0: none. */
  readonly lockedUntilMs: number;
};

/** One writer's dataset, oldest snapshot first. */
export type JudgedStream = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  /** Why nothing of it expires now, whatever a rule says. */
  readonly haltedBecause: string | undefined;
  readonly snapshots: readonly Judged[];
};

/** What the policy's retention makes of the snapshots that this host knows. */
export class RetentionView {
  readonly #options: RetentionViewOptions;

  constructor(options: RetentionViewOptions) {
    this.#options = options;
  }

  /** All of a dataset's, or of all datasets. */
  async streams(dataset?: DatasetId): Promise<JudgedStream[]> {
    const { ledger } = this.#options;
    const judged: JudgedStream[] = [];
    for (const { id, writer } of ledger.roster.datasets()) {
      if (dataset === undefined || dataset === id) judged.push(await this.stream(writer, id));
    }
    return judged;
  }

  async stream(writer: AgentKey, dataset: DatasetId): Promise<JudgedStream> {
    const { ledger, locks, state: stateOf } = this.#options;
    const state = stateOf();
    const fate = state.fates.of(writer, dataset) ?? noFate(dataset, writer);
    const records = ledger
      .manifests(dataset)
      .filter(({ statement }) => statement.writer === writer)
      // What is gone needs no rule, and counts for none.
      .filter(({ manifest }) => !hasSequence(fate.gone, manifest.sequence));
    const name = ledger.roster.datasetOf(writer, dataset)?.ruleName ?? '';
    const facts = await this.#facts(records);
    const rule = state.policy.ruleFor(name).retention;
    const decisions = retain(facts, { rule, nowMs: state.time.nowMs });
    const snapshots = records.map((record, i): Judged => {
      const { sequence } = record.manifest;
      const lock = locks.of(record.hash);
      const isUnlocked = hasSequence(fate.unlocked, sequence);
      return {
        record,
        decision: decisions[i] as RetentionDecision,
        stage: stageOf(fate, sequence),
        lockedUntilMs: lock === undefined ? 0 : lockEnd(lock, isUnlocked),
      };
    });
    return { writer, dataset, haltedBecause: this.#halt(writer, dataset), snapshots };
  }

  #halt(writer: AgentKey, dataset: DatasetId): string | undefined {
    const { packUse, state } = this.#options;
    if (packUse.isFrozen(writer)) return 'its writer has signed two histories';
    const quarantine = state().fates.of(writer, dataset)?.quarantine;
    if (quarantine !== undefined) return `it is in quarantine: ${quarantine.reason}`;
    const hold = state()
      .holds.all()
      .find((one) => one.dataset === dataset && !one.snapshot);
    return hold === undefined ? undefined : `all of it is held: ${hold.reason}`;
  }

  async #facts(records: readonly ManifestRecord[]): Promise<SnapshotFacts[]> {
    const suspects = this.#suspects(records[0]);
    const facts: SnapshotFacts[] = [];
    for (const record of records) {
      const { statement, manifest, hash } = record;
      const fate = this.#options.state().fates.of(statement.writer, manifest.dataset);
      facts.push({
        sequence: manifest.sequence,
        witnessedMs: this.#witnessedMs(record),
        isCommitted: await this.#isCommitted(record),
        isSuspect: suspects.has(hash),
        tags: manifest.tags,
        keptBecause: await this.#keptBecause(record),
        isForgotten: hasSequence(fate?.forgotten ?? [], manifest.sequence),
        isShredded: this.#options.isShredded(record),
      });
    }
    return facts;
  }

  #suspects(first: ManifestRecord | undefined): ReadonlySet<string> {
    if (first === undefined) return new Set();
    const verdicts = this.#options.suspicion.verdicts(first.manifest.dataset);
    const isClean = (state: string): boolean => state === 'clean' || state === 'cleared';
    return new Set([...verdicts].filter(([, { state }]) => !isClean(state)).map(([hash]) => hash));
  }

  /** This host has locked it, so it was committed once; and its lock may be all that is left to show it. */
  async #isCommitted(record: ManifestRecord): Promise<boolean> {
    const { locks, view } = this.#options;
    if (locks.of(record.hash) !== undefined) return true;
    return (await view.assess(record)).state === 'committed';
  }

  async #keptBecause(record: ManifestRecord): Promise<string | undefined> {
    const { locks, view, state } = this.#options;
    const { fates, holds } = state();
    const { writer } = record.statement;
    const { dataset, sequence } = record.manifest;
    const hold = holds.covering(dataset, writer, sequence);
    if (hold !== undefined) return `held: ${hold.reason}`;
    if (hasSequence(fates.of(writer, dataset)?.pinned ?? [], sequence)) return 'undeleted';
    // Whether it is complete cannot be told yet.
    const isKnown = locks.of(record.hash) !== undefined || (await view.packs(record)) !== undefined;
    return isKnown ? undefined : 'its list of packs has not arrived here';
  }

  /**
   * When others first signed for it: the lower median, so that fewer than half of them can neither make it older
   * than it is nor younger. A source is no witness of its own snapshots, unless it is alone.
   */
  #witnessedMs({ hash, statement }: ManifestRecord): number | undefined {
    const witnessed = this.#options.ledger.witnessed(hash);
    const others = [...witnessed].filter(([agent]) => agent !== statement.writer);
    const counted = others.length === 0 ? [...witnessed] : others;
    const sorted = counted.map(([, timeMs]) => timeMs).sort((a, b) => a - b);
    return sorted[(sorted.length - 1) >> 1];
  }
}
