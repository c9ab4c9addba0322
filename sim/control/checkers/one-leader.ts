import type { AgentKey } from '../../../src/core/ids.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** At most one leader in a term of a generation. */
export class OneLeader implements ControlChecker {
  readonly name = 'one-leader';
  readonly #leaders = new Map<string, AgentKey>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'status' || seen.status.role !== 'leader') return undefined;
    const { generation, term } = seen.status;
    const key = `${generation}/${term}`;
    const other = this.#leaders.get(key) ?? seen.agent;
    this.#leaders.set(key, other);
    return other === seen.agent ? undefined : `two leaders in term ${key}`;
  }
}
