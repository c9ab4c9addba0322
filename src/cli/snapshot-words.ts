import type { SnapshotRef } from '../agent/keeping-types.ts';
import { assertNever } from '../base/assert.ts';
import { HoldfastError } from '../core/errors.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { rangesOf } from '../core/policy/sequence-ranges.ts';
import { type OperatorFlags, printApplied, submitAsOperator } from './operator.ts';
import { shellWord } from './shell-word.ts';
import { formatTime } from './terminal-text.ts';
import type { CliContext } from './world.ts';

/**
 * Has operators sign one command about snapshots, for each writer's dataset among them.
 * @returns how many snapshots there were. @throws HoldfastError as submitAsOperator; not-found | ambiguous | usage
 */
export async function sayOf(
  context: CliContext,
  {
    kind,
    snapshots,
    flags,
  }: {
    kind: 'forget' | 'undelete' | 'unlock';
    snapshots: readonly string[];
    flags: OperatorFlags & { dataset?: string; reason?: string };
  },
): Promise<number> {
  const { dataset, reason = 'asked for by an operator' } = flags;
  const agent = context.backend.control(context.stateDir);
  const refs = await agent.resolveSnapshots({
    snapshots: [...snapshots],
    ...(dataset === undefined ? {} : { dataset }),
  });
  if (kind === 'unlock') for (const ref of refs) requireLock(context, ref);
  const nameOf = ({ writer, datasetId }: SnapshotRef): string => writer + datasetId;
  for (const some of Map.groupBy(refs, nameOf).values()) {
    const [{ writer, datasetId }] = some as [SnapshotRef];
    const ranges = rangesOf(some.map(({ sequence }) => sequence));
    const stream = { dataset: datasetId as DatasetId, writer: writer as AgentKey };
    const report = await submitAsOperator(context, flags, { kind, ...stream, ranges, reason });
    await printApplied(context, report, { snapshots: some.map(({ id }) => id) });
  }
  return new Set(refs.map(({ id }) => id)).size;
}

/** Operators are not asked to end what is not there, or what they cannot end. @throws HoldfastError not-permitted */
function requireLock({ stateFlag }: CliContext, { id, dataset, lock }: SnapshotRef): void {
  const { state, untilMs = 0 } = lock;
  const what = `snapshot ${id.slice(0, 8)} of ${dataset}`;
  const lookUp = `holdfast snapshots --dataset ${shellWord(dataset)}${stateFlag}`;
  const refuse = (why: string, next: string): HoldfastError =>
    new HoldfastError('not-permitted', `${what} ${why}`, { next });
  switch (state) {
    case 'governance':
    case 'pending':
      return;
    case 'compliance':
      throw refuse(
        `has a compliance lock until ${formatTime(untilMs)}, which nobody can end`,
        lookUp,
      );
    case 'over':
      throw refuse(`is not locked: its lock ended ${formatTime(untilMs)}`, lookUp);
    case 'unlocked':
      throw refuse(
        'is unlocked already',
        `to let it go: holdfast forget ${id.slice(0, 8)}${stateFlag}`,
      );
    case 'none':
      throw refuse('is not locked: its rule in the policy asks for no lock', lookUp);
    default:
      assertNever(state);
  }
}
