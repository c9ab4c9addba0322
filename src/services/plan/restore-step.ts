import { assert } from '../../base/assert.ts';
import { utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { PlanDataset, PlanStep, RestorePlan } from '../../core/policy/restore-plan.ts';
import type { PlaceOwner, RestorePlaces } from '../../ports/restore-place.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import { type RestoreSummary, restoreSnapshot } from '../restore.ts';
import { splitPath } from '../snapshot-reader.ts';
import type { SnapshotSession } from '../snapshot-session.ts';
import type { RunKeys } from './run-keys.ts';
import type { StepTask } from './step-actions.ts';
import { detailText, evidenceOf, type StepOutcome } from './step-outcome.ts';
import type { RunName } from './work-order.ts';

export type RestoreStepOptions = {
  readonly ledger: Pick<Ledger, 'manifest'>;
  readonly session: SnapshotSession;
  readonly places: RestorePlaces;
  readonly keys: Pick<RunKeys, 'keysOf' | 'grantIndex'>;
  readonly clock: Clock;
};

type RestoreTask = StepTask & { readonly step: PlanStep & { kind: 'restore' } };

/**
 * Restores one dataset of a plan into its directory on this host. Doing it again restores what differs, so it
 * may be cut off at any moment and begun anew.
 */
export class RestoreStep {
  readonly #options: RestoreStepOptions;

  constructor(options: RestoreStepOptions) {
    this.#options = options;
  }

  /** @throws HoldfastError key-needed | wrong-key | not-found | too-few-shards | unsafe-target | disk-full | ... */
  async perform(task: RestoreTask): Promise<StepOutcome> {
    const { session, places, keys, clock } = this.#options;
    const { step, signal } = task;
    const dataset = datasetOf(task.document, step.dataset);
    const record = this.#record(dataset);
    const granted = await keys.keysOf(task, record.hash, { signal });
    const keyOf = granted.get.bind(granted);
    const { plan, run } = task;
    const purpose = { kind: 'plan', plan, run, sinceIndex: keys.grantIndex(task) } as const;
    const opened = await session.open(record, { keyOf }, { signal, purpose });
    const { reader, packs, places: found, frames } = opened;
    await using _ = frames;
    await found.look({ signal });
    await using target = await places.open(step.to, ownerOf(task, step));
    const order = {
      snapshot: record.hash,
      path: splitPath(utf8(dataset.path)),
      ...{ include: [], exclude: [], overwrite: 'if-changed' as const, dryRun: false },
    };
    const stats = () => packs.stats;
    let firstProblem: string | undefined;
    for await (const event of restoreSnapshot({ reader, target, order, clock, stats, signal })) {
      if (event.type === 'status') task.onPercent(percentOf(event));
      if (event.type === 'problem') firstProblem ??= `${event.path}: ${event.reason}`;
      if (event.type === 'summary') return outcomeOf(event.summary, firstProblem);
    }
    throw new HoldfastError('failed', 'the restore ended without a summary');
  }

  /** What was restored stays, under another name: it may be all that is left of something. */
  async undo(task: RestoreTask): Promise<StepOutcome> {
    const { step, run } = task;
    const owner = ownerOf(task, step);
    const aside = await this.#options.places.setAside(step.to, owner, `undone-${run}`);
    const detail = aside === undefined ? `${step.to} was not begun here` : `moved to ${aside}`;
    return { state: 'done', detail: detailText(detail), evidence: new Uint8Array() };
  }

  /** @throws HoldfastError not-found | corrupt (the plan names another writer or place than the snapshot has) */
  #record({ id, writer, snapshot, sequence, name }: PlanDataset): ManifestRecord {
    const record = this.#options.ledger.manifest(snapshot);
    if (record === undefined) {
      const what = `snapshot ${shortId(snapshot)} of ${name} is not known here yet`;
      throw new HoldfastError('not-found', what);
    }
    const { statement, manifest } = record;
    const isMeant =
      statement.writer === writer && manifest.dataset === id && manifest.sequence === sequence;
    if (isMeant) return record;
    const what = `snapshot ${shortId(snapshot)} is not what the plan says of it`;
    throw new HoldfastError('corrupt', what, { details: { snapshot, dataset: id, sequence } });
  }
}

function datasetOf(plan: RestorePlan, name: string): PlanDataset {
  const dataset = plan.datasets.find((one) => one.name === name);
  assert(dataset !== undefined, 'a step names a dataset of its plan');
  return dataset;
}

/** Of this step and run alone: a later run never writes into what an earlier one has left. */
function ownerOf({ plan, run }: RunName, step: PlanStep): PlaceOwner {
  return { name: `holdfast plan ${plan} run ${run} step ${step.id}` };
}

function percentOf(event: {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}): number {
  const { filesDone, filesTotal, bytesDone, bytesTotal } = event;
  const share = bytesTotal > 0 ? bytesDone / bytesTotal : filesDone / Math.max(1, filesTotal);
  return Math.max(0, Math.min(99, Math.floor(share * 100)));
}

/** A file that could not be had makes it a failure: what comes after would build on less than was backed up. */
function outcomeOf(summary: RestoreSummary, firstProblem: string | undefined): StepOutcome {
  const { files, bytes, filesSkipped, filesLost, problems } = summary;
  const durationMs = Math.round(summary.durationMs);
  const evidence = evidenceOf({ files, bytes, filesSkipped, filesLost, problems, durationMs });
  const first = firstProblem === undefined ? '' : `; the first problem: ${firstProblem}`;
  if (filesLost > 0) {
    const detail = detailText(`${filesLost} files could not be had${first}`);
    return { state: 'failed', detail, evidence };
  }
  const detail = detailText(`${files} files restored, ${filesSkipped} were there${first}`);
  return { state: 'done', detail, evidence };
}
