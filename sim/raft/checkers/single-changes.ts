import { decodeConfig } from '../../../src/core/protocol/raft/config-codec.ts';
import type { Checker, Observation } from '../observation.ts';

/** A configuration in a log differs from the one before it in one voter at most. */
export class SingleChanges implements Checker {
  readonly name = 'single-changes';

  observe(seen: Observation): string | undefined {
    if (seen.kind !== 'persisted') return undefined;
    for (const { kind, index, payload } of seen.write.append ?? []) {
      if (kind !== 'config' || index <= seen.disk.snapshot.index) continue;
      const [before, after] = [seen.disk.configBefore(index).voters, decodeConfig(payload).voters];
      const count =
        before.filter((voter) => !after.includes(voter)).length +
        after.filter((voter) => !before.includes(voter)).length;
      if (count > 1) return `${count} voters change at index ${index}`;
    }
    return undefined;
  }
}
