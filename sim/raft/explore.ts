import { AssertionError } from '../../src/base/assert.ts';
import { Raft } from '../../src/core/protocol/raft/raft.ts';
import type { RaftOptions, RaftSettings, RaftStored } from '../../src/core/protocol/raft/types.ts';
import { type Bounds, type Move, World } from './explore-world.ts';
import { keyOf, nameOf } from './names.ts';

export type Exploration = {
  /** Different ones that were met. */
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

export const smallBounds: Bounds = { terms: 2, proposals: 1, crashes: 1, messages: 4, depth: 9 };

const shipped = (stored: RaftStored, settings: RaftSettings, options: RaftOptions): Raft =>
  new Raft(stored, settings, options);

/**
 * Every run of three voters within bounds, of the shipped Raft: each message may arrive now, later or never, each
 * member may lose patience or crash at any moment. The first to stand is A: the other voters are no different.
 */
export class Explorer {
  readonly #bounds: Bounds;
  readonly #statesMax: number;
  /** How many moves were left when a state was met: with more of them it is worth another visit. */
  readonly #seen = new Map<number, number>();
  readonly #path: Move[] = [];
  #transitions = 0;
  #committedMax = 0;
  #violation: Exploration['violation'];

  constructor(bounds: Bounds, { statesMax = 10_000_000 } = {}) {
    this.#bounds = bounds;
    this.#statesMax = statesMax;
  }

  explore(make: typeof shipped = shipped): Exploration {
    const first: Move = { kind: 'time-out', member: 0 };
    this.#try(World.first(make), first, this.#bounds.depth);
    return {
      states: this.#seen.size,
      transitions: this.#transitions,
      isComplete: this.#violation === undefined && this.#seen.size < this.#statesMax,
      violation: this.#violation,
      committedMax: this.#committedMax,
    };
  }

  get #isOver(): boolean {
    return this.#violation !== undefined || this.#seen.size >= this.#statesMax;
  }

  #try(world: World, move: Move, left: number): void {
    this.#path.push(move);
    this.#transitions++;
    let next: World | undefined;
    try {
      next = world.after(move, this.#bounds);
      if (next.violation !== undefined) this.#found(next.violation);
    } catch (error) {
      // By its name: a mutant brings a class of its own.
      const isBug = error instanceof Error && error.name === AssertionError.name;
      if (!isBug) throw error;
      this.#found(error.message);
    }
    if (next !== undefined && !this.#isOver) this.#visit(next, left - 1);
    this.#path.pop();
  }

  #visit(world: World, left: number): void {
    this.#committedMax = Math.max(this.#committedMax, world.committed.length);
    const mark = digestOf(world.mark);
    const before = this.#seen.get(mark);
    if (before !== undefined && before >= left) return;
    this.#seen.set(mark, left);
    if (left === 0) return;
    for (const move of world.moves(this.#bounds)) {
      if (this.#isOver) return;
      this.#try(world, move, left);
    }
  }

  #found(text: string): void {
    this.#violation ??= { text, moves: this.#path.map(textOf) };
  }
}

/** 53 bits: in a search of ten million states, two are taken for one with a chance of 1 in 200. */
function digestOf(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x9dc5811c;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit ^ (low >>> 13), 0x85ebca6b);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

function textOf(move: Move): string {
  if (move.kind === 'deliver') return move.message;
  return `${nameOf(keyOf(move.member))} ${move.kind}`;
}
