import type { BodyOf, FenceVote, Promotion } from '../../format/control-records.ts';
import { type AgentKey, type ClusterId, type DatasetId, shortId } from '../../ids.ts';
import type { PlanDataset } from '../../policy/restore-plan.ts';
import { controlBounds } from './control-bounds.ts';
import { fenceQuorum } from './fence-quorum.ts';
import { IsolationBook } from './isolation-book.ts';
import { type Change, type CommandPlace, contradiction, refusal } from './refusal.ts';
import {
  type Certificate,
  certificateOf,
  grantIn,
  isGrantOf,
  openSlot,
  type Slot,
  type SnapshotPlace,
  slotState,
  withVote,
} from './slot.ts';

/**
 * - `live`: the holder is the dataset's one live copy.
 * - `off`: the holder is known to be off; nobody writes.
 * - `contested`: a slot is open.
 * - `dead`: the slot was given up, by voters or with its candidate; there is no holder.
 */
export const incarnationStates = ['live', 'off', 'contested', 'dead'] as const;

/** Who has been the live copy, and since which entry. */
export type Holder = {
  readonly incarnation: number;
  readonly agent: AgentKey;
  readonly generation: number;
  readonly index: number;
  /** The snapshot from which this copy was restored; undefined: the agent goes on with what it had. */
  readonly from: SnapshotPlace | undefined;
};

/** A dataset that a plan has named. */
export type Incarnation = {
  readonly dataset: DatasetId;
  readonly name: string;
  /** 0: as its writer made it. Grows by one with every slot. */
  readonly incarnation: number;
  readonly state: (typeof incarnationStates)[number];
  /** Undefined while contested or dead. */
  readonly holder: AgentKey | undefined;
  /** Former holders that may write a line of their own again. Sorted. */
  readonly reinstated: readonly AgentKey[];
  /** Oldest first, the writer at the beginning. */
  readonly holders: readonly Holder[];
  /** While contested, and only then. */
  readonly slot: Slot | undefined;
  /** Of the newest slot that was decided. */
  readonly certificate: Certificate | undefined;
};

/** Which copy of a dataset is the real one: a compare-and-set, with evidence that the one before is off. */
export class IncarnationBook {
  readonly isolations = new IsolationBook();
  /** Voters that may sign two words on one slot without harm. */
  readonly #faulty: number;
  readonly #cluster: ClusterId;
  readonly #datasets = new Map<DatasetId, Incarnation>();

  constructor(cluster: ClusterId, faulty = 0) {
    this.#cluster = cluster;
    this.#faulty = faulty;
  }

  /** Sorted by id. */
  all(): readonly Incarnation[] {
    return [...this.#datasets.values()].sort((a, b) => (a.dataset < b.dataset ? -1 : 1));
  }

  of(dataset: DatasetId): Incarnation | undefined {
    return this.#datasets.get(dataset);
  }

  /** Datasets whose slot is open. */
  contested(): readonly Incarnation[] {
    return this.all().filter(({ state }) => state === 'contested');
  }

  /** Takes note of a plan's datasets: the first plan that names one says who made it. */
  checkDatasets(datasets: readonly PlanDataset[], place: CommandPlace): Change {
    for (const { id, name, writer } of datasets) {
      const known = this.#datasets.get(id);
      if (known !== undefined && !hasHeld(known, writer)) {
        throw refusal(`${shortId(writer)} has never held dataset "${name}"`);
      }
    }
    const added = datasets.filter(({ id }) => !this.#datasets.has(id));
    if (this.#datasets.size + added.length > controlBounds.datasetsMax) {
      throw refusal('too many datasets are known');
    }
    return () => {
      for (const one of added) this.#set(this.#first(one, place));
    };
  }

  /** off | dead -> contested, for the one candidate of a plan's step. @throws HoldfastError not-permitted */
  checkPromote(
    promotion: Promotion,
    context: {
      readonly generation: number;
      readonly index: number;
      readonly voters: readonly AgentKey[];
      /** What the plan restores. */
      readonly from: SnapshotPlace;
    },
  ): Change {
    const known = this.#require(promotion.dataset);
    const { incarnation, name, state } = known;
    if (promotion.incarnation !== incarnation + 1) {
      throw refusal(`incarnation ${incarnation} of "${name}" is current`);
    }
    if (state === 'contested') throw refusal(`incarnation ${incarnation} is still contested`);
    if (state === 'live') throw refusal(`nothing proves that incarnation ${incarnation} is off`);
    if (this.isolations.covers(promotion.target, promotion.dataset)) {
      throw refusal('the target is isolated');
    }
    const count = context.voters.length;
    if (fenceQuorum(count, this.#faulty) > count) {
      throw refusal(
        `${count} voters cannot outvote ${this.#faulty} that may lie: add voters first`,
      );
    }
    const slot = openSlot(promotion, context);
    const next = { incarnation: promotion.incarnation, state: 'contested' as const };
    return () => this.#set({ ...known, ...next, holder: undefined, slot });
  }

  /**
   * Who has not voted on the open slot yet is to give it up. Voters who have granted it cannot take that back, so
   * it may still be decided. @throws HoldfastError not-permitted
   */
  checkAbandon(body: { readonly dataset: DatasetId; readonly incarnation: number }): {
    readonly slot: Slot;
    readonly change: Change;
  } {
    const known = this.#require(body.dataset);
    const { slot, incarnation, state } = known;
    if (slot === undefined || body.incarnation !== incarnation) {
      throw refusal(`no promotion is being voted on: incarnation ${incarnation} is ${state}`);
    }
    if (slot.isGivenUp) throw refusal('it is being given up already');
    return { slot, change: () => this.#set({ ...known, slot: { ...slot, isGivenUp: true } }) };
  }

  /** A run has ended: promotions that it has asked for and that are not decided yet are to be given up. */
  giveUpFor(run: Pick<Slot, 'plan' | 'run'>): void {
    for (const known of this.contested()) {
      const { slot } = known;
      if (slot?.plan !== run.plan || slot.run !== run.run) continue;
      this.#set({ ...known, slot: { ...slot, isGivenUp: true } });
    }
  }

  /** Whether a step's promotion was decided, or still may be. */
  mayBePromoted(step: Pick<Slot, 'plan' | 'run' | 'step'>): boolean {
    const isOpen = this.contested().some(
      ({ slot }) => slot?.plan === step.plan && slot.run === step.run && slot.step === step.step,
    );
    return isOpen || this.isPromoted(step);
  }

  /** contested -> live, when enough voters grant it; contested -> dead, when too many abandon it. */
  checkVote(vote: FenceVote, voter: AgentKey, place: CommandPlace): Change {
    const known = this.#require(vote.dataset);
    const { slot } = known;
    if (slot === undefined || vote.incarnation !== known.incarnation) {
      this.#requireSameWord(vote, voter);
      throw refusal('there is no such open slot');
    }
    if (vote.generation !== slot.generation) throw refusal('the vote is of another generation');
    const voted = withVote(slot, vote, { voter, envelope: place.envelope });
    return () => this.#set(this.#afterVote({ ...known, slot: voted }, voted, place));
  }

  /** What this voter has said about the slot of a vote, where that is still known. */
  wordOf({ dataset, incarnation, generation }: FenceVote, voter: AgentKey): Uint8Array | undefined {
    const { slot, certificate, ...known } = this.#require(dataset);
    if (slot !== undefined && known.incarnation === incarnation) {
      return slot.votes.find((one) => one.voter === voter)?.envelope;
    }
    const isOf = certificate?.incarnation === incarnation && certificate.generation === generation;
    return isOf ? grantIn(certificate, voter, this.#cluster) : undefined;
  }

  /** A slot that is decided has kept its grants: who takes one back has said two words. */
  #requireSameWord(vote: FenceVote, voter: AgentKey): void {
    const { certificate } = this.#require(vote.dataset);
    if (certificate === undefined || this.wordOf(vote, voter) === undefined) return;
    if (isGrantOf(certificate, vote)) throw refusal('this voter has voted already');
    throw contradiction(voter, `${shortId(voter)} has taken back what it had granted`);
  }

  /** live -> off, by the holder's own word. @throws HoldfastError not-permitted */
  checkDemote(body: BodyOf<'demote'>, signer: AgentKey): Change {
    const known = this.#require(body.dataset);
    if (body.incarnation !== known.incarnation) {
      throw refusal(`incarnation ${known.incarnation} is current`);
    }
    if (known.holder !== signer) throw refusal('only the holder may demote itself');
    if (known.state !== 'live') throw refusal(`incarnation ${known.incarnation} is ${known.state}`);
    return () => this.#set({ ...known, state: 'off' });
  }

  /** live -> off, since the holder's lease has run out: see LeaseBook. */
  lapse(dataset: DatasetId): void {
    this.#set({ ...this.#require(dataset), state: 'off' });
  }

  /**
   * live -> off, of all that the agent holds, and contested -> dead, of all that it was to hold: by the operators'
   * word. Votes that may be under way for it do no harm: what they would decide is off. So this ends a slot which
   * voters that lie, or are gone for good, keep open. @throws HoldfastError not-permitted
   */
  checkIsolate({ agent, dataset, reason }: BodyOf<'isolate'>): Change {
    this.isolations.checkIsolate(agent, dataset);
    return () => {
      this.isolations.isolate(agent, dataset, reason);
      for (const known of this.all()) {
        if (!this.isolations.covers(agent, known.dataset)) continue;
        const reinstated = known.reinstated.filter((one) => one !== agent);
        const isOff = known.state === 'live' && known.holder === agent;
        const isDead = known.slot?.target === agent;
        const state = isDead ? 'dead' : isOff ? 'off' : known.state;
        this.#set({ ...known, reinstated, state, slot: isDead ? undefined : known.slot });
      }
    };
  }

  /**
   * off | dead -> live, when the agent was the last holder: nobody else can be any more. While another
   * incarnation is live, a former holder may write again, but is not the live copy. Who has never held the
   * dataset may be promoted again, no more.
   * @throws HoldfastError not-permitted
   */
  checkReinstate({ agent, dataset }: BodyOf<'reinstate'>, place: CommandPlace): Change {
    const known = this.#datasets.get(dataset);
    const isIsolated = this.isolations.covers(agent, dataset);
    if (known === undefined && !isIsolated) throw refusal('there is nothing to reinstate');
    if (known === undefined || (isIsolated && !hasHeld(known, agent))) {
      return () => this.isolations.lift(agent, dataset);
    }
    const next = this.#reinstated(known, agent, place);
    return () => {
      this.isolations.lift(agent, dataset);
      this.#set(next);
    };
  }

  /** Whether this agent may write the dataset, and why. Of datasets that no plan has named, anybody may. */
  mayWrite(
    agent: AgentKey,
    dataset: DatasetId,
  ): { readonly may: boolean; readonly reason: string } {
    if (this.isolations.covers(agent, dataset)) {
      return { may: false, reason: 'operators have isolated this agent' };
    }
    const known = this.#datasets.get(dataset);
    if (known === undefined) return { may: true, reason: 'no plan has named this dataset' };
    const { incarnation, state, holder } = known;
    if (known.reinstated.includes(agent)) {
      return { may: true, reason: 'operators have reinstated this agent' };
    }
    if (state !== 'live') return { may: false, reason: `incarnation ${incarnation} is ${state}` };
    if (holder === agent) return { may: true, reason: `it holds incarnation ${incarnation}` };
    const other = holder === undefined ? 'nobody' : shortId(holder);
    return { may: false, reason: `incarnation ${incarnation} is live at ${other}` };
  }

  /** True when this very step's slot was decided. */
  isPromoted(step: Pick<Slot, 'plan' | 'run' | 'step'>): boolean {
    return this.all().some(
      ({ certificate: one }) =>
        one?.plan === step.plan && one.run === step.run && one.step === step.step,
    );
  }

  /** contested -> dead, of every slot: its voters vote no more, and what they have said is in the log. */
  closeSlots(): void {
    for (const known of this.contested()) this.#set({ ...known, state: 'dead', slot: undefined });
  }

  load(datasets: readonly Incarnation[]): void {
    for (const dataset of datasets) this.#set(dataset);
  }

  #first({ id, name, writer }: PlanDataset, place: CommandPlace): Incarnation {
    const { generation, index } = place;
    return {
      dataset: id,
      name,
      incarnation: 0,
      state: this.isolations.covers(writer, id) ? 'off' : 'live',
      holder: writer,
      reinstated: [],
      holders: [{ incarnation: 0, agent: writer, generation, index, from: undefined }],
      slot: undefined,
      certificate: undefined,
    };
  }

  #afterVote(known: Incarnation, slot: Slot, place: CommandPlace): Incarnation {
    const state = slotState(slot, this.#faulty);
    if (state === 'open') return known;
    if (state === 'dead') return { ...known, state, slot: undefined };
    const certificate = certificateOf(slot, known.incarnation);
    const live = heldBy(known, slot.target, { ...place, from: slot.from });
    return { ...live, slot: undefined, certificate };
  }

  #reinstated(known: Incarnation, agent: AgentKey, place: CommandPlace): Incarnation {
    const { state, holders, reinstated } = known;
    if (state === 'contested') throw refusal('a slot is open: wait for its end');
    if (!hasHeld(known, agent)) throw refusal('it has never held the dataset');
    if (state !== 'live') {
      if (holders.at(-1)?.agent === agent) return heldBy(known, agent, place);
      throw refusal('it was not the last holder: promote it instead');
    }
    if (known.holder === agent || reinstated.includes(agent)) {
      throw refusal('it may write already');
    }
    return { ...known, reinstated: [...reinstated, agent].sort() };
  }

  #require(dataset: DatasetId): Incarnation {
    const known = this.#datasets.get(dataset);
    if (known === undefined) throw refusal('no plan has named this dataset');
    return known;
  }

  #set(known: Incarnation): void {
    this.#datasets.set(known.dataset, known);
  }
}

function hasHeld({ holders }: Incarnation, agent: AgentKey): boolean {
  return holders.some((one) => one.agent === agent);
}

/** The same incarnation number, live at this agent from here on. */
function heldBy(
  known: Incarnation,
  agent: AgentKey,
  { generation, index, from }: Pick<Holder, 'generation' | 'index'> & Partial<Holder>,
): Incarnation {
  const holder = { incarnation: known.incarnation, agent, generation, index, from };
  const holders = [...known.holders, holder].slice(-controlBounds.holdersMax);
  const reinstated = known.reinstated.filter((one) => one !== agent);
  return { ...known, state: 'live', holder: agent, holders, reinstated };
}
