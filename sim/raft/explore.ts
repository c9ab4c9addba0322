import { AssertionError } from '../../src/base/assert.ts';
import { Raft } from '../../src/core/protocol/raft/raft.ts';
import type { Make } from './explore-member.ts';
import type { Bounds, Start } from './explore-moves.ts';
import type { Profile } from './explore-profiles.ts';
import { moveText, World } from './explore-world.ts';

export type Exploration = {
  /** Different ones that were met: worlds that differ in the names of voters alone are one. */
  readonly states: number;
  /** Moves that were made. */
  readonly transitions: number;
  /** Of members that may follow from the first moves: nothing was left out but by the bounds. */
  readonly isComplete: boolean;
  /** What is wrong, with the moves that lead to it. */
  readonly violation: { readonly text: string; readonly moves: readonly string[] } | undefined;
  /** Entries that were committed in some state, at most. */
  readonly committedMax: number;
};

/** How a state is reached: from another one, by a move. */
type Way = { readonly move: string; readonly before: Way } | undefined;

type Found = { readonly world: World; readonly way: Way };

const shipped: Make = (stored, settings, options) => new Raft(stored, settings, options);

/**
 * Every run of three voters and a newcomer within bounds, of the shipped Raft, in the order of their lengths: each
 * message may arrive now, later, twice or never, each member may stand, crash or lose an entry at any moment.
 * A state that is met again has no more moves left than before, so each is followed once.
 */
export class Explorer {
  readonly #bounds: Bounds;
  readonly #statesMax: number;
  readonly #starts: readonly Start[];
  readonly #seen = new Set<number>();
  #transitions = 0;
  #committedMax = 0;
  #violation: Exploration['violation'];

  constructor({ bounds, starts }: Profile, { statesMax = 10_000_000 } = {}) {
    this.#bounds = bounds;
    this.#starts = starts;
    this.#statesMax = statesMax;
  }

  explore(make: Make = shipped): Exploration {
    const { terms: _, depth, ...budget } = this.#bounds;
    let found = this.#starts.flatMap((start) =>
      this.#met({ move: start, before: undefined }, () => World.first(start, budget, make)),
    );
    for (let level = 0; level < depth && !this.#isOver; level++) found = this.#after(found);
    return {
      states: this.#seen.size,
      transitions: this.#transitions,
      isComplete: !this.#isOver,
      violation: this.#violation,
      committedMax: this.#committedMax,
    };
  }

  get #isOver(): boolean {
    return this.#violation !== undefined || this.#seen.size >= this.#statesMax;
  }

  /** All new states that are one move away. */
  #after(found: readonly Found[]): Found[] {
    const next: Found[] = [];
    for (const { world, way } of found) {
      for (const move of world.moves(this.#bounds.terms)) {
        if (this.#isOver) return next;
        this.#transitions++;
        const on = { move: moveText(world, move), before: way };
        next.push(...this.#met(on, () => world.after(move)));
      }
    }
    return next;
  }

  /** The state that comes of it, if it is a new one, and nothing is wrong with it. */
  #met(way: Way, make: () => World | undefined): Found[] {
    try {
      const world = make();
      if (world === undefined) return [];
      this.#committedMax = Math.max(this.#committedMax, world.promises.committed.length);
      const { mark, violation } = world;
      if (violation !== undefined) this.#violation ??= { text: violation, moves: movesOn(way) };
      if (violation !== undefined || this.#seen.has(mark)) return [];
      this.#seen.add(mark);
      return [{ world, way }];
    } catch (error) {
      // By its name: a mutant brings a class of its own.
      if (!(error instanceof Error) || error.name !== AssertionError.name) throw error;
      this.#violation ??= { text: error.message, moves: movesOn(way) };
      return [];
    }
  }
}

function movesOn(way: Way): string[] {
  const moves: string[] = [];
  for (let at = way; at !== undefined; at = at.before) moves.unshift(at.move);
  return moves;
}
