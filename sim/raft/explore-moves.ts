import type { RaftConfig, RaftMessage } from '../../src/core/protocol/raft/types.ts';
import type { Explored } from './explore-member.ts';
import { memberCount, memberKey, voterCount } from './explore-symmetry.ts';

/** How often each thing may happen in one run. */
export type Budget = {
  stands: number;
  proposals: number;
  reads: number;
  changes: number;
  compactions: number;
  crashes: number;
  damages: number;
  /** Rounds of heartbeats. */
  beats: number;
  /** Messages that arrive once more than they were sent. */
  repeats: number;
  /** Answers that do not arrive at once, but later or never. */
  lates: number;
};

/** What a search may use up. */
export type Bounds = Budget & {
  /** The highest term that anybody may stand in. */
  readonly terms: number;
  /** Moves in a row. */
  readonly depth: number;
};

/** Where it begins: nothing was done; A leads in term 1; the same, and D is a learner. */
export type Start = 'fresh' | 'led' | 'led with a learner';

const voters = Array.from({ length: voterCount }, (_, i) => memberKey(i));
const newcomer = memberKey(voterCount);

export const foundings: Record<Start, RaftConfig> = {
  fresh: { voters, learners: [] },
  led: { voters, learners: [] },
  'led with a learner': { voters, learners: [newcomer] },
};

/** One thing that may happen next. */
export type Move =
  /** It arrives; the same, and its answer arrives at once; it arrives and will arrive again. */
  | { readonly kind: 'deliver' | 'exchange' | 'repeat'; readonly message: string }
  | { readonly kind: 'stand'; readonly member: number; readonly term: number }
  | { readonly kind: 'beat' | 'propose' | 'read' | 'compact'; readonly member: number }
  | { readonly kind: 'crash' | 'damage'; readonly member: number }
  | { readonly kind: 'configure'; readonly member: number; readonly config: RaftConfig };

/** What a world is, as far as it decides what may happen. */
type Scene = {
  readonly members: readonly Explored[];
  readonly messages: ReadonlyMap<string, { readonly message: RaftMessage }>;
  readonly left: Budget;
};

/** All that may happen next, with nobody standing beyond a term. */
export function movesOf(world: Scene, termMax: number): Move[] {
  const moves: Move[] = [];
  for (const [message, sent] of world.messages)
    moves.push(...arrivals(message, sent.message, world));
  for (let member = 0; member < memberCount; member++) moves.push(...ownMoves(world, member));
  return moves.filter((move) => move.kind !== 'stand' || move.term <= termMax);
}

function arrivals(message: string, { body }: RaftMessage, { left }: Scene): Move[] {
  const isRequest = body.kind.endsWith('request');
  return [
    ...(isRequest ? [{ kind: 'exchange', message } as const] : []),
    ...(!isRequest || left.lates > 0 ? [{ kind: 'deliver', message } as const] : []),
    ...(left.repeats > 0 ? [{ kind: 'repeat', message } as const] : []),
  ];
}

function ownMoves({ members, left }: Scene, member: number): Move[] {
  const one = members[member];
  if (one === undefined) return [];
  const { role, term, config, commit, firstIndex } = one.raft.status();
  const isFresh = term === 0;
  const termMax = Math.max(...members.map(({ raft }) => raft.status().term));
  const moves: Move[] = [];
  if (left.stands > 0) {
    if (term < termMax) moves.push({ kind: 'stand', member, term: termMax });
    moves.push({ kind: 'stand', member, term: termMax + 1 });
  }
  if (!isFresh && left.crashes > 0) moves.push({ kind: 'crash', member });
  const canLose = one.disk.lastIndex > one.disk.snapshot.index;
  if (canLose && left.damages > 0) moves.push({ kind: 'damage', member });
  if (commit > firstIndex && left.compactions > 0) moves.push({ kind: 'compact', member });
  if (role !== 'leader') return moves;
  if (left.beats > 0) moves.push({ kind: 'beat', member });
  if (left.proposals > 0) moves.push({ kind: 'propose', member });
  if (left.reads > 0) moves.push({ kind: 'read', member });
  if (left.changes === 0) return moves;
  return [
    ...moves,
    ...changesOf(config).map((to) => ({ kind: 'configure' as const, member, config: to })),
  ];
}

/** Any voter may go, two may (which must be refused), D may come, as a learner or as a voter. */
function changesOf({ voters: current, learners }: RaftConfig): RaftConfig[] {
  const without = (...gone: readonly string[]): RaftConfig => ({
    voters: current.filter((key) => !gone.includes(key)),
    learners,
  });
  const fewer = current.length > 1 ? current.map((key) => without(key)) : [];
  const pairs = current.flatMap((key, i) =>
    current.slice(i + 1).map((other) => without(key, other)),
  );
  const isIn = current.includes(newcomer);
  const more = isIn ? [] : [{ voters: [...current, newcomer], learners: [] }];
  const learner = isIn || learners.length > 0 ? [] : [{ voters: current, learners: [newcomer] }];
  return [...fewer, ...pairs.filter((one) => one.voters.length > 0), ...more, ...learner];
}
