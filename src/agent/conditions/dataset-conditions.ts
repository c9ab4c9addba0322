import { formatSpan } from '../../base/quantity.ts';
import { dayMs, minuteMs } from '../../base/units.ts';
import type { Roster } from '../../core/protocol/roster.ts';
import type { DatasetState } from '../../services/status.ts';
import type { Condition } from './condition.ts';
import type { Patience } from './patience.ts';

/** For a dataset of which the policy says nothing. */
const firstBackupWithinMs = 1 * dayMs;
/** A host that restarts, and its connections, come back within it. */
const unreachableMs = 5 * minuteMs;

export type DatasetFacts = {
  readonly roster: Pick<Roster, 'ruleFor' | 'epochsOf'>;
  /** The site of its source is lost, and the alarm of that names the dataset. */
  readonly isAway: (dataset: DatasetState['dataset']) => boolean;
  readonly patience: Patience;
  readonly nowMs: number;
};

/** Of datasets that the cluster knows. */
export function datasetConditions(
  states: readonly DatasetState[],
  facts: DatasetFacts,
): Condition[] {
  return states.flatMap((state) => [
    ...ages(state, facts).filter((condition) => !isOfLostSite(condition, state, facts)),
    ...reach(state, facts),
  ]);
}

/** One cause is told once: that a lost site backs up nothing goes without saying. What people know of stands. */
function isOfLostSite(
  { kind, subject }: Condition,
  { dataset }: DatasetState,
  { isAway, patience }: DatasetFacts,
): boolean {
  return isAway(dataset) && !patience.isKnown(kind, subject);
}

function ages(state: DatasetState, facts: DatasetFacts): Condition[] {
  const { dataset, snapshots } = state;
  const { roster, nowMs } = facts;
  const { rpoMs } = roster.ruleFor(dataset.ruleName).objectives ?? {};
  if (snapshots === 0) {
    const sinceMs = roster.epochsOf(dataset.writer, dataset.id)[0]?.timeMs ?? 0;
    const isLate = nowMs - sinceMs > (rpoMs ?? firstBackupWithinMs);
    return isLate ? [neverBackedUp(dataset.name)] : [];
  }
  return rpoMs === undefined ? [] : late(state, rpoMs, facts);
}

/** Where none is committed, the first one may be on its way, or sites are lost that had made it so. */
function late(
  { dataset: { id, name, writer }, newest }: DatasetState,
  rpoMs: number,
  { roster, patience, nowMs }: DatasetFacts,
): Condition[] {
  const isCommitted = newest?.state === 'committed';
  const sinceMs = isCommitted
    ? newest.record.statement.timeMs
    : (roster.epochsOf(writer, id)[0]?.timeMs ?? 0);
  const sight = { kind: 'backup-late', subject: id, isWrong: nowMs - sinceMs > rpoMs } as const;
  if (!patience.isOver({ ...sight, afterMs: isCommitted ? 0 : unreachableMs })) return [];
  const what = isCommitted
    ? `the newest committed snapshot of ${name} is older than the ${formatSpan(rpoMs)} that the policy allows`
    : `no snapshot of ${name} is committed: too few sites have signed for one`;
  const text = `${what}. Back it up, where it is: holdfast backup --dataset ${name}`;
  return [{ kind: sight.kind, subject: id, text, facts: { dataset: name } }];
}

function reach(
  { dataset, newest, snapshots, isShredded }: DatasetState,
  { patience }: DatasetFacts,
): Condition[] {
  const { id, name } = dataset;
  const kind = 'not-restorable';
  const isWrong = snapshots > 0 && !isShredded && newest?.now.isRecoverable !== true;
  if (!patience.isOver({ kind, subject: id, isWrong, afterMs: unreachableMs })) return [];
  const text = `${name} cannot be restored from the members that this host reaches: too few of them hold what it needs. Next: holdfast status`;
  return [{ kind, subject: id, text, facts: { dataset: name } }];
}

/** Of datasets that are configured on this host and were never begun: nobody else can know of them. */
export function configuredConditions(
  configured: readonly { readonly name: string; readonly firstSeenMs: number }[],
  { roster, nowMs }: DatasetFacts,
): Condition[] {
  return configured
    .filter(({ name, firstSeenMs }) => {
      const { rpoMs } = roster.ruleFor(name).objectives ?? {};
      return nowMs - firstSeenMs > (rpoMs ?? firstBackupWithinMs);
    })
    .map(({ name }) => neverBackedUp(name));
}

function neverBackedUp(name: string): Condition {
  const text = `${name} was never backed up: no snapshot of it is committed. Back it up, where it is: holdfast backup --dataset ${name}`;
  return { kind: 'never-backed-up', subject: name, text, facts: { dataset: name } };
}
