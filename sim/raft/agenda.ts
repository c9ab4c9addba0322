/** What is to come, by moment; what was entered first is done first. */
export class Agenda {
  readonly #moments = new Map<number, (() => void)[]>();
  now = 0;

  /** At least one moment from now. */
  after(delay: number, action: () => void): void {
    const at = this.now + Math.max(1, delay);
    const actions = this.#moments.get(at);
    if (actions === undefined) this.#moments.set(at, [action]);
    else actions.push(action);
  }

  /** Goes on by one moment. */
  advance(): void {
    this.now++;
    const actions = this.#moments.get(this.now);
    this.#moments.delete(this.now);
    for (const action of actions ?? []) action();
  }
}
