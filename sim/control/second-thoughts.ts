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
  readonly #thorough: Prng;
  #heard = '';

  constructor(cluster: ControlCluster, doubter: Doubter) {
    this.#cluster = cluster;
    this.#doubter = doubter;
    this.#random = new Prng(cluster.world.seed ^ 0x61_62_61_6e);
    this.#thorough = new Prng(cluster.world.seed ^ 0x6f_66_66_21);
    // After the loss of a holder under a lease people are in a hurry, and more often wrong.
    const perMille = cluster.plan.hasLeases ? 400 : 150;
    cluster.listen((seen) => {
      if (seen.kind !== 'applied' || seen.command.body.kind !== 'promote') return;
      const { body, index, outcome, generation } = seen.command;
      const place = String(generation).padStart(4, '0') + String(index).padStart(9, '0');
      if (place <= this.#heard) return;
      this.#heard = place;
      if (outcome.outcome !== 'applied') return;
      const { dataset, incarnation } = body;
      if (this.#thorough.chance(100)) {
        cluster.world.after(this.#thorough.between(0, 80), () => this.#makeSure(dataset));
      }
      if (!this.#random.chance(perMille)) return;
      cluster.world.after(this.#random.between(0, 800), () => {
        if (this.#slotOf(dataset, incarnation) !== undefined) this.#abandon(dataset, incarnation);
      });
    });
  }

  /** What happens in one virtual second. */
  step(): void {
    for (const { dataset, incarnation, slot } of this.#contested()) {
      if (slot === undefined) continue;
      if (this.#thorough.chance(200)) this.#makeSure(dataset);
      if (!this.#random.chance(isSplit(slot) ? 300 : 100)) continue;
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

  /** While a new copy is voted on, somebody makes sure that a host which held an earlier one is off. */
  #makeSure(dataset: DatasetId): void {
    const known = this.#cluster.state?.incarnations.of(dataset);
    const former = known?.holders.at(-1)?.agent;
    if (former === undefined || known?.slot === undefined || known.slot.target === former) return;
    this.#cluster.world.meet('a former holder isolated during the vote on its successor');
    this.#doubter.isolate(former, dataset);
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
