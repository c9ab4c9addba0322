import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A hook runs at most once for each attempt, whoever asks, whoever crashes. */
export class HooksOnce implements ControlChecker {
  readonly name = 'hooks-once';
  readonly #begun = new Set<string>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'deed' || seen.isUndo || seen.task.step.kind !== 'hook') return undefined;
    const { plan, run, step, attempt } = seen.task;
    const key = `${plan}/${run}/${step.id}/${attempt}`;
    if (this.#begun.has(key)) return `attempt ${attempt} at hook "${step.id}" runs again`;
    this.#begun.add(key);
    return undefined;
  }
}
