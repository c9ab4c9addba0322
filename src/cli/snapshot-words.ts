import type { SnapshotRef } from '../agent/keeping-types.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { rangesOf } from '../core/policy/sequence-ranges.ts';
import { type OperatorFlags, printApplied, submitAsOperator } from './operator.ts';
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
