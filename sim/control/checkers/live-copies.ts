import type { AgentKey, DatasetId } from '../../../src/core/ids.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';
import type { Truth } from '../truth.ts';

type Copy = { readonly generation: number; readonly incarnation: number };

export type LiveCopiesOptions = {
  readonly truth: Truth;
  /** A host that does not run has no live copy. */
  readonly isRunning: (agent: AgentKey) => boolean;
  /** A lease has bound its programs, and they are gone. */
  readonly hasStopped: (agent: AgentKey, dataset: DatasetId) => boolean;
  /** Operators have said that a majority is gone which is not: each generation may have its own. */
  readonly isDecreeFalse: () => boolean;
};

/** Where a copy really runs, by what its host knows and what was done to it: never at two hosts at once. */
export class LiveCopies implements ControlChecker {
  readonly name = 'live-copies';
  readonly #options: LiveCopiesOptions;
  readonly #copies = new Map<DatasetId, Map<AgentKey, Copy>>();

  constructor(options: LiveCopiesOptions) {
    this.#options = options;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'state') return undefined;
    const { agent, control } = seen;
    const { generation, incarnations } = control.state;
    for (const { dataset, state, holder, incarnation } of incarnations.all()) {
      const copies = this.#copies.get(dataset) ?? new Map<AgentKey, Copy>();
      this.#copies.set(dataset, copies);
      const isHere = state === 'live' && holder === agent;
      if (!isHere) copies.delete(agent);
      else if (!copies.has(agent) || copies.get(agent)?.incarnation !== incarnation) {
        copies.set(agent, { generation, incarnation });
        const text = this.#among(dataset, copies);
        if (text !== undefined) return text;
      } else copies.set(agent, { generation, incarnation });
    }
    return undefined;
  }

  #among(dataset: DatasetId, copies: ReadonlyMap<AgentKey, Copy>): string | undefined {
    const { truth, isRunning, hasStopped, isDecreeFalse } = this.#options;
    const live = [...copies].filter(
      ([agent, { incarnation }]) =>
        isRunning(agent) &&
        !truth.isOff(agent, dataset, incarnation) &&
        !hasStopped(agent, dataset),
    );
    const first = live[0];
    if (live.length < 2 || first === undefined) return undefined;
    const isSplit = live.some(([, { generation }]) => generation !== first[1].generation);
    if (isSplit && isDecreeFalse()) return undefined;
    const names = live.map(([agent, { incarnation }]) => `${agent.slice(0, 8)} (${incarnation})`);
    return `dataset ${dataset.slice(0, 8)} is live at ${names.join(' and ')}`;
  }
}
