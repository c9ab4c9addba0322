import type { AgentKey, PackId } from '../../core/ids.ts';
import type { Judgement } from './repair-view.ts';

/** Packs that depend on agents which are to leave. */
export type Dependents = {
  /** Of which they hold something, or have still to deliver something as their source. */
  readonly packs: readonly PackId[];
  /** Those of which something is still to come to, or to be made at, others. */
  readonly waiting: readonly PackId[];
  /** Those of the waiting that they have written themselves: it may lie in their outboxes alone. */
  readonly undelivered: readonly PackId[];
};

export type Leaving = {
  readonly leaving: ReadonlySet<AgentKey>;
  /** Those of them that store. */
  readonly holders: readonly AgentKey[];
};

export function dependentsOf(
  { survey, tasks, awaited, lost }: Judgement,
  { leaving, holders }: Leaving,
): Dependents {
  const unsettled = new Set([
    ...tasks.map(({ entry }) => entry.pack),
    ...awaited,
    ...lost.map(({ pack }) => pack),
  ]);
  const packs: PackId[] = [];
  const undelivered: PackId[] = [];
  for (const [pack, { record, words }] of survey.packs) {
    const isHeld = [...words].some(([agent, { mask }]) => leaving.has(agent) && (mask ?? 0) !== 0);
    const isUndelivered = unsettled.has(pack) && leaving.has(record.statement.writer);
    // Of a snapshot that is new here: what they hold of it they may not have signed for yet.
    const isUnheard = unsettled.has(pack) && holders.some((agent) => !words.has(agent));
    if (isHeld || isUndelivered || isUnheard) packs.push(pack);
    if (isUndelivered) undelivered.push(pack);
  }
  return { packs, waiting: packs.filter((pack) => unsettled.has(pack)), undelivered };
}
