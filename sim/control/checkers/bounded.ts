import { controlBounds } from '../../../src/core/protocol/control/control-bounds.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** The state is never more than what a run of a few minutes can have said. */
const stateSizeMax = 512 * 1024;
/** Entries in a minute or two of trouble: more means that somebody fills the log. */
const entriesMax = 1000;
/** Six hosts with a few dozen messages and timers each. */
const pendingMax = 5000;

/** Books do not grow without bound, and nobody fills the log. */
export class Bounded implements ControlChecker {
  readonly name = 'bounded';
  readonly #pending: () => number;
  #measured = 0;

  /** `pending`: all that is still to happen, messages under way and timers among it. */
  constructor(pending: () => number) {
    this.#pending = pending;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'state') return undefined;
    const { state, appliedIndex } = seen.control;
    if (appliedIndex > entriesMax) return `the log has ${appliedIndex} entries`;
    if (state.knownIds().length > controlBounds.knownIdsMax) return 'too many ids are known';
    const { voids, equivocations, warnings } = state.findings;
    if (voids.length > controlBounds.voidsMax) return `${voids.length} void entries are kept`;
    if (equivocations.length > controlBounds.equivocationsMax) return 'too many equivocations';
    if (warnings.length > controlBounds.warningsMax) return 'too many warnings';
    if (this.#pending() > pendingMax) return `${this.#pending()} messages and timers pile up`;
    const applied = state.generation * entriesMax + appliedIndex;
    if (applied < this.#measured + 50) return undefined;
    this.#measured = applied;
    const size = state.encode().length;
    return size > stateSizeMax ? `the state has ${size} bytes` : undefined;
  }
}
