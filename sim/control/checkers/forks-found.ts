import { equal } from '../../../src/base/bytes.ts';
import type { LogHead } from '../../../src/core/protocol/control/log-checkpoint.ts';
import type { AgentKey } from '../../../src/core/ids.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

export type ForksFoundOptions = {
  /** In the end a leader coordinates, so that heads are signed. */
  readonly isLed: () => boolean;
  /** Voters of whom some host has found that they have signed another log than its own. */
  readonly found: () => number;
  readonly meet: (what: string) => void;
};

/** Where a lying leader has left hosts with two logs or states, some host knows it in the end. */
export class ForksFound implements ControlChecker {
  readonly name = 'forks-found';
  readonly #options: ForksFoundOptions;
  readonly #heads = new Map<string, { readonly head: LogHead; readonly agent: AgentKey }>();

  constructor(options: ForksFoundOptions) {
    this.#options = options;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'rest') return undefined;
    const { control, name } = seen;
    const head = control.headAt(control.appliedIndex);
    if (head === undefined || !control.state.config.voters.includes(control.self)) return undefined;
    const key = `${control.state.generation}/${head.size}`;
    const known = this.#heads.get(key);
    if (known === undefined) {
      this.#heads.set(key, { head, agent: control.self });
      return undefined;
    }
    const isSame = equal(known.head.root, head.root) && equal(known.head.stateHash, head.stateHash);
    if (isSame) return undefined;
    this.#options.meet('a log that a lying leader has forked');
    if (!this.#options.isLed() || this.#options.found() > 0) return undefined;
    return `${name} and ${known.agent.slice(0, 8)} have two logs up to ${key}, and nobody knows it`;
  }
}
