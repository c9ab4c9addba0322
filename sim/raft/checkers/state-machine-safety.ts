import { toHex } from '../../../src/base/bytes.ts';
import type { AgentKey } from '../../../src/core/ids.ts';
import type { Checker, Observation } from '../observation.ts';
import type { Committed } from './committed.ts';

/** Every member applies the same command at the same index, in order, and no command twice. */
export class StateMachineSafety implements Checker {
  readonly name = 'state-machine-safety';
  readonly #committed: Committed;
  readonly #applied = new Map<AgentKey, number>();
  /** Commands are unique here: where each one stands. */
  readonly #indexes = new Map<string, number>();

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  observe(seen: Observation): string | undefined {
    switch (seen.kind) {
      case 'started':
        this.#applied.set(seen.member, seen.disk.snapshot.index);
        return undefined;
      case 'installed':
        return this.#installed(seen);
      case 'applied':
        return this.#inOrder(seen) ?? this.#once(seen) ?? this.#same(seen.entry.index, seen);
      default:
        return undefined;
    }
  }

  #installed(seen: Extract<Observation, { kind: 'installed' }>): string | undefined {
    const before = this.#applied.get(seen.member) ?? 0;
    this.#applied.set(seen.member, seen.index);
    if (seen.index <= before) return `a snapshot leads back from ${before} to ${seen.index}`;
    return this.#same(seen.index, seen);
  }

  #inOrder(seen: Extract<Observation, { kind: 'applied' }>): string | undefined {
    const { index } = seen.entry;
    const before = this.#applied.get(seen.member) ?? 0;
    this.#applied.set(seen.member, index);
    return index === before + 1 ? undefined : `index ${index} is applied after ${before}`;
  }

  #once({ entry }: Extract<Observation, { kind: 'applied' }>): string | undefined {
    if (entry.kind !== 'command') return undefined;
    const command = toHex(entry.payload);
    const other = this.#indexes.get(command);
    this.#indexes.set(command, entry.index);
    if (other === undefined || other === entry.index) return undefined;
    return `command ${command} is applied at ${other} and at ${entry.index}`;
  }

  #same(
    index: number,
    { machine }: Extract<Observation, { kind: 'applied' | 'installed' }>,
  ): string | undefined {
    const known = this.#committed.at(index);
    if (known === undefined) return `nobody has committed index ${index} of a snapshot`;
    return known.digest === machine.digest ? undefined : `another history up to index ${index}`;
  }
}
