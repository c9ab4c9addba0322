import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A mark or a promotion counts only with the fence of the newest coordinator of its run. */
export class CurrentFences implements ControlChecker {
  readonly name = 'current-fences';
  readonly #assigned = new Map<string, number>();
  #checked = 0;

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.outcome.outcome !== 'applied') return undefined;
    const { body, index } = seen.command;
    // Everybody applies the same; one look at each entry is enough.
    if (index <= this.#checked) return undefined;
    this.#checked = index;
    if (body.kind === 'assign') this.#assigned.set(`${body.plan}/${body.run}`, index);
    if (body.kind !== 'mark' && body.kind !== 'promote') return undefined;
    const current = this.#assigned.get(`${body.plan}/${body.run}`);
    if (current === undefined || body.fence.index === current) return undefined;
    return `a ${body.kind} counts with fence ${body.fence.index}, which ${current} has replaced`;
  }
}
