import { equal } from '../../../src/base/bytes.ts';
import type { LogHead } from '../../../src/core/protocol/control/log-checkpoint.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** Whoever has applied as many entries has the same log and the same state. */
export class SameState implements ControlChecker {
  readonly name = 'same-state';
  readonly #heads = new Map<string, LogHead>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'state') return undefined;
    const { control } = seen;
    const head = control.headAt(control.appliedIndex);
    if (head === undefined) return undefined;
    const key = `${control.state.generation}/${head.size}`;
    const known = this.#heads.get(key) ?? head;
    this.#heads.set(key, known);
    if (!equal(known.root, head.root)) return `another log up to ${key}`;
    return equal(known.stateHash, head.stateHash) ? undefined : `another state at ${key}`;
  }
}
