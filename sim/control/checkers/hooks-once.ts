import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A hook runs at most once for each attempt, whoever asks, whoever crashes. */
export class HooksOnce implements ControlChecker {
  readonly name = 'hooks-once';
  /** At whom it has begun, in which generation. */
  readonly #begun = new Map<string, { readonly agent: string; readonly generation: number }>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'deed' || seen.isUndo || seen.task.step.kind !== 'hook') return undefined;
    const { plan, run, step, attempt, fence } = seen.task;
    const key = `${plan}/${run}/${step.id}/${attempt}`;
    const known = this.#begun.get(key);
    const { generation } = fence;
    this.#begun.set(key, { agent: seen.agent, generation });
    if (known === undefined) return undefined;
    // What the lost majority had marked is lost with it: another worker cannot know of it.
    if (known.generation !== generation && known.agent !== seen.agent) return undefined;
    return `attempt ${attempt} at hook "${step.id}" runs again`;
  }
}
