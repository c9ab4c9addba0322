import { dataset, source } from '../cast.ts';
import type { KeepingCluster } from '../cluster.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';

/** What the log takes for the newest snapshot is one that its source has signed, and the source is accused of nothing. */
export class Anchored implements KeepingChecker {
  readonly name = 'anchored';

  observe(seen: KeepingSeen, { control, snapshots }: KeepingCluster): string | undefined {
    if (seen.kind !== 'said' || seen.said.body.kind !== 'anchor') return undefined;
    const { anchors, findings } = control.state;
    if (findings.equivocations.length > 0) return 'the source is accused of two histories';
    const head = anchors.of(source.agentKey, dataset)?.head;
    const signed = snapshots.find(({ sequence }) => sequence === head?.sequence);
    if (signed?.record.hash === head?.hash) return undefined;
    return `snapshot ${head?.sequence} is anchored, and nobody has signed it`;
  }
}
