import type { Checker, Observation } from '../observation.ts';
import type { Committed } from './committed.ts';

/** A read sees at least what anybody knew to be committed when it was asked, and it is applied already. */
export class LinearizableReads implements Checker {
  readonly name = 'linearizable-reads';
  readonly #committed: Committed;
  readonly #asked = new Map<number, number>();

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  observe(seen: Observation): string | undefined {
    if (seen.kind === 'read-asked') this.#asked.set(seen.id, this.#committed.lastIndex);
    if (seen.kind !== 'read-answered') return undefined;
    const { id, index, applied } = seen;
    const atLeast = this.#asked.get(id);
    if (atLeast === undefined) return `read ${id} was never asked, or is answered twice`;
    this.#asked.delete(id);
    if (index < atLeast) return `read ${id} sees ${index}, but ${atLeast} was committed before it`;
    return applied < index ? `read ${id} may see ${index}, applied is ${applied}` : undefined;
  }
}
