import type { ControlBody } from '../../src/core/format/control-records.ts';
import type { AgentKey, DatasetId } from '../../src/core/ids.ts';
import { isSplit, type Slot } from '../../src/core/protocol/control/slot.ts';
import { Prng } from '../prng.ts';
import type { ControlCluster } from './cluster.ts';

/** What an operator does about a vote; the rest is the workload's. */
export type Doubter = {
  /** Signed by one operator. */
  readonly say: (body: ControlBody) => void;
  /** They have made sure that nobody uses this copy, and say so. */
  readonly isolate: (agent: AgentKey, dataset: DatasetId) => void;
};

/** How often operators look at a vote that goes on after all trouble, before they give it up, and before they end it. */
const looksBeforeAbandon = 3;
const looksBeforeEnd = 6;

/**
 * Operators who give promotions up while they are voted on: some at once, some when votes do not come. What no vote
 * can end any more they end by making sure that the candidate is off.
 */
export class SecondThoughts {
  readonly #cluster: ControlCluster;
  readonly #doubter: Doubter;
  /** Of their own: where nobody doubts, a seed goes on as it would without them. */
  readonly #random: Prng;
  readonly #looks = new Map<string, number>();
  #heard = '';

  constructor(cluster: ControlCluster, doubter: Doubter) {
    this.#cluster = cluster;
    this.#doubter = doubter;
    this.#random = new Prng(cluster.world.seed ^ 0x61_62_61_6e);
    // After the loss of a holder under a lease people are in a hurry, and more often wrong.
    const perMille = cluster.plan.hasLeases ? 400 : 150;
    cluster.listen((seen) => {
      if (seen.kind !== 'applied' || seen.command.body.kind !== 'promote') return;
      const { body, index, outcome, generation } = seen.command;
      const place = String(generation).padStart(4, '0') + String(index).padStart(9, '0');
      if (place <= this.#heard) return;
      this.#heard = place;
      if (outcome.outcome !== 'applied' || !this.#random.chance(perMille)) return;
      const { dataset, incarnation } = body;
      cluster.world.after(this.#random.between(0, 800), () => {
        if (this.#slotOf(dataset, incarnation) !== undefined) this.#abandon(dataset, incarnation);
      });
    });
  }

  /** What happens in one virtual second. */
  step(): void {
    for (const { dataset, incarnation, slot } of this.#contested()) {
      if (slot === undefined || !this.#random.chance(isSplit(slot) ? 300 : 100)) continue;
      if (isSplit(slot)) this.#end(slot.target, dataset);
      else if (!slot.isGivenUp) this.#abandon(dataset, incarnation);
    }
  }

  /** As step, when all trouble is over: no vote goes on for ever. @returns whether none does */
  help(): boolean {
    const contested = this.#contested();
    for (const { dataset, incarnation, slot } of contested) {
      if (slot === undefined) continue;
      const name = `${slot.generation}-${dataset}-${incarnation}`;
      const looks = (this.#looks.get(name) ?? 0) + 1;
      this.#looks.set(name, looks);
      if (isSplit(slot) || looks > looksBeforeEnd) this.#end(slot.target, dataset);
      else if (looks > looksBeforeAbandon && !slot.isGivenUp) this.#abandon(dataset, incarnation);
    }
    return contested.length === 0;
  }

  #contested(): ReturnType<NonNullable<ControlCluster['state']>['incarnations']['contested']> {
    return this.#cluster.state?.incarnations.contested() ?? [];
  }

  #slotOf(dataset: DatasetId, incarnation: number): Slot | undefined {
    const known = this.#cluster.state?.incarnations.of(dataset);
    return known?.incarnation === incarnation ? known.slot : undefined;
  }

  #abandon(dataset: DatasetId, incarnation: number): void {
    this.#cluster.world.meet('a promotion given up');
    this.#doubter.say({ kind: 'abandon', dataset, incarnation, reason: 'on second thoughts' });
  }

  #end(target: AgentKey, dataset: DatasetId): void {
    this.#cluster.world.meet('a vote ended by the word that the candidate is off');
    this.#doubter.isolate(target, dataset);
  }
}
