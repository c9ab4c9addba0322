import type { ControlBody } from '../../src/core/format/control-records.ts';
import type { AgentKey } from '../../src/core/ids.ts';
import type { ControlState } from '../../src/core/protocol/control/control-state.ts';
import type { Prng } from '../prng.ts';
import type { ControlCluster } from './cluster.ts';

type Say = (body: ControlBody, by: AgentKey) => void;
type Assigned = Extract<ControlBody, { kind: 'assign' }> & { readonly index: number };

/** Members that say again what they have said, or go on with what is no longer theirs: none of it may count. */
export class Stutter {
  readonly #random: Prng;
  readonly #say: Say;
  readonly #assigned: Assigned[] = [];
  #heard = '';
  /** Voters that say two words for each promotion. */
  readonly liars = new Set<AgentKey>();

  /** `say`: has it signed by this member, and submitted. */
  constructor(cluster: ControlCluster, random: Prng, say: Say) {
    this.#say = say;
    this.#random = random;
    cluster.listen((seen) => {
      if (seen.kind !== 'applied') return;
      const { body, index, outcome, generation } = seen.command;
      // Everybody applies the same: the first counts.
      const place = String(generation).padStart(4, '0') + String(index).padStart(9, '0');
      if (place <= this.#heard) return;
      this.#heard = place;
      if (outcome.outcome !== 'applied') return;
      if (body.kind === 'promote') this.#lie(seen.control.state);
      if (body.kind === 'assign') this.#assigned.push({ ...body, index });
      // A slot is not open for long.
      if (body.kind === 'fence-vote' && random.chance(400)) this.#secondVote(seen.control.state);
    });
  }

  /** Says an old word, now and then. */
  step(state: ControlState): void {
    if (this.#random.chance(300)) this.#oldMark(state);
  }

  /** Both words at once, in any order: what its own host says comes on top. */
  #lie(state: ControlState): void {
    for (const liar of this.liars) this.#lieAs(liar, state);
  }

  #lieAs(liar: AgentKey, state: ControlState): void {
    for (const { dataset, incarnation, slot } of state.incarnations.contested()) {
      if (slot === undefined || !slot.voters.includes(liar)) continue;
      const { generation, target, fence } = slot;
      const word = { kind: 'fence-vote', dataset, incarnation, generation } as const;
      const grant = { ...word, target, fence } as const;
      const abandon = { ...word, target: undefined, fence } as const;
      const words = this.#random.chance(500) ? [grant, abandon] : [abandon, grant];
      for (const one of words) this.#say(one, liar);
    }
  }

  #secondVote(state: ControlState): void {
    for (const { dataset, incarnation, slot } of state.incarnations.contested()) {
      const vote = slot?.votes[0];
      if (slot === undefined || vote === undefined) continue;
      const { generation, target, fence } = slot;
      const word = { kind: 'fence-vote', dataset, incarnation, generation } as const;
      this.#say({ ...word, target, fence }, vote.voter);
    }
  }

  /** Of a coordinator that has been replaced and does not know it. */
  #oldMark(state: ControlState): void {
    for (const { record, run } of state.plans.open()) {
      const { hash: plan } = record;
      const current = run.assignment?.fence.index ?? 0;
      const old = this.#assigned.find(
        (one) => one.plan === plan && one.run === run.run && one.index < current,
      );
      const begun = [...run.steps].find(([, { state: at }]) => at === 'started');
      if (old === undefined || begun === undefined) continue;
      const [step, { attempt, worker }] = begun;
      if (worker === undefined) continue;
      const fence = { generation: state.generation, index: old.index };
      const mark = { kind: 'mark', plan, run: run.run, step, attempt, fence, worker } as const;
      const detail = 'said too late';
      const body = { ...mark, outcome: 'failed', detail, evidence: new Uint8Array(0) } as const;
      this.#say(body, old.coordinator);
    }
  }
}
