import type { AgentKey } from '../../../src/core/ids.ts';
import { mayVoteAs } from '../../../src/core/protocol/control/member-book.ts';
import type { AppliedCommand } from '../../../src/services/control/control-access.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/**
 * Nobody goes back to a generation that a decree has ended, and none begins without the signatures of enough
 * operators. Whoever was abandoned votes no more, until operators give it the role anew.
 */
export class GenerationsGrow implements ControlChecker {
  readonly name = 'generations-grow';
  readonly #newest = new Map<AgentKey, number>();
  readonly #decrees = new Map<number, string>();
  /** In which generation operators have given it its vote again. */
  readonly #given = new Map<AgentKey, number>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind === 'applied') this.#noteRole(seen.command);
    if (seen.kind !== 'state') return undefined;
    const { generation, decrees, config } = seen.control.state;
    const before = this.#newest.get(seen.agent) ?? generation;
    if (generation < before) return `generation ${generation} after ${before}`;
    this.#newest.set(seen.agent, generation);
    if (generation === 1) return undefined;
    for (const { decree, authors, id } of decrees.all()) {
      const known = this.#decrees.get(decree.generation) ?? id;
      this.#decrees.set(decree.generation, known);
      if (known !== id) return `generation ${decree.generation} was begun by two decrees`;
      const operators = new Set(authors).size;
      if (operators < 2)
        return `generation ${decree.generation} was begun by ${operators} operators`;
      const mayVote = (one: AgentKey): boolean => (this.#given.get(one) ?? 0) >= decree.generation;
      const back = decree.abandoned.find((one) => config.voters.includes(one) && !mayVote(one));
      if (back !== undefined) return `${back.slice(0, 8)} votes again`;
    }
    return decrees.all().length === 0 ? `generation ${generation} has no decree` : undefined;
  }

  #noteRole({ body, outcome, generation }: AppliedCommand): void {
    if (body.kind !== 'roles' || outcome.outcome !== 'applied') return;
    if (!body.add.some(mayVoteAs)) return;
    // Whoever starts anew applies older entries again.
    this.#given.set(body.agent, Math.max(generation, this.#given.get(body.agent) ?? 0));
  }
}
