import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A checker that counts entries, once for each generation: a decree begins the log anew. */
export class PerGeneration implements ControlChecker {
  readonly name: string;
  readonly #make: () => ControlChecker;
  readonly #each = new Map<number, ControlChecker>();

  constructor(make: () => ControlChecker) {
    this.#make = make;
    this.name = make().name;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' && seen.kind !== 'state') return undefined;
    const { generation } = seen.control.state;
    const checker = this.#each.get(generation) ?? this.#make();
    this.#each.set(generation, checker);
    return checker.observe(seen);
  }
}
