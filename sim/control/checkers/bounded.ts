import { controlBounds } from '../../../src/core/protocol/control/control-bounds.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** The state is never more than what a run of a few minutes can have said. */
const stateSizeMax = 512 * 1024;
/** Entries in a minute or two of trouble: more means that somebody fills the log. */
const entriesMax = 2500;

/** Books do not grow without bound, and nobody fills the log. */
export class Bounded implements ControlChecker {
  readonly name = 'bounded';
  #measured = 0;

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'state') return undefined;
    const { state, appliedIndex } = seen.control;
    if (appliedIndex > entriesMax) return `the log has ${appliedIndex} entries`;
    if (state.knownIds().length > controlBounds.knownIdsMax) return 'too many ids are known';
    if (appliedIndex < this.#measured + 50) return undefined;
    this.#measured = appliedIndex;
    const size = state.encode().length;
    return size > stateSizeMax ? `the state has ${size} bytes` : undefined;
  }
}
