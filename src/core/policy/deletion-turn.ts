import type { PackId } from '../ids.ts';
import { limits } from '../limits.ts';

/** Which of the shards of a pack, or which of the sites that may hold a copy, deletes: from 0. */
export type DeletionTurn = { readonly pack: PackId; readonly place: number; readonly of: number };

/**
 * Whether it is the turn of this shard now. Turns follow each other for ever, the same for everybody, and each
 * pack begins elsewhere: so no two shards of a pack go within a day, also where a host comes back after weeks.
 */
export function isDeletionTurn({ pack, place, of }: DeletionTurn, nowMs: number): boolean {
  if (of <= 1) return true;
  const { deletionTurnMs: turnMs, deletionWindowMs: windowMs } = limits;
  const roundMs = of * turnMs;
  const beginMs = Math.floor((Number.parseInt(pack.slice(0, 8), 16) / 2 ** 32) * roundMs);
  const inRoundMs = (nowMs + beginMs) % roundMs;
  return Math.floor(inRoundMs / turnMs) === place && inRoundMs % turnMs < windowMs;
}
