import type { Fence } from '../../../src/core/format/control-records.ts';
import { compareFences } from '../../../src/core/protocol/control/fence-order.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** No worker does anything for a fence older than one that it has obeyed, for the run or the dataset. */
export class FencesGrow implements ControlChecker {
  readonly name = 'fences-grow';
  readonly #highest = new Map<string, Fence>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'deed') return undefined;
    const { plan, run, step, document, fence } = seen.task;
    const dataset =
      'dataset' in step ? document.datasets.find(({ name }) => name === step.dataset) : undefined;
    for (const what of [`${plan}/${run}`, ...(dataset === undefined ? [] : [dataset.id])]) {
      const key = `${seen.agent}/${what}`;
      const known = this.#highest.get(key) ?? fence;
      if (compareFences(fence, known) < 0) return `fence ${fence.index} after ${known.index}`;
      this.#highest.set(key, fence);
    }
    return undefined;
  }
}
