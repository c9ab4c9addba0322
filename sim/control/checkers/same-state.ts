import { equal } from '../../../src/base/bytes.ts';
import type { LogHead } from '../../../src/core/protocol/control/log-checkpoint.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/**
 * Hashing the state of every host after every entry would take a sixth of all time. What came of each entry is
 * compared at every place, the state at every fourth, and wherever a log rests in the end.
 */
const stride = 4;

/** Whoever has applied as many entries has the same log and the same state, and every entry did the same. */
export class SameState implements ControlChecker {
  readonly name = 'same-state';
  readonly #isOneVersion: boolean;
  readonly #heads = new Map<string, LogHead>();
  readonly #outcomes = new Map<string, string>();

  /** `isOneVersion`: reasons are worded alike as well. */
  constructor({ isOneVersion }: { readonly isOneVersion: boolean }) {
    this.#isOneVersion = isOneVersion;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind === 'applied') {
      const { generation, index, outcome } = seen.command;
      const reason = outcome.outcome === 'void' && this.#isOneVersion ? `: ${outcome.reason}` : '';
      const text = `${outcome.outcome}${reason}`;
      const key = `${generation}/${index}`;
      const known = this.#outcomes.get(key) ?? text;
      this.#outcomes.set(key, known);
      return known === text ? undefined : `entry ${key} is ${text}, and was ${known}`;
    }
    if (seen.kind !== 'state' && seen.kind !== 'rest') return undefined;
    const { control } = seen;
    if (seen.kind === 'state' && control.appliedIndex % stride !== 0) return undefined;
    const head = control.headAt(control.appliedIndex);
    if (head === undefined) return undefined;
    const key = `${control.state.generation}/${head.size}`;
    const known = this.#heads.get(key) ?? head;
    this.#heads.set(key, known);
    if (!equal(known.root, head.root)) return `another log up to ${key}`;
    return equal(known.stateHash, head.stateHash) ? undefined : `another state at ${key}`;
  }
}
