import { openCommand } from '../../format/control-envelope.ts';
import type { Fence, FenceVote, PlanHash, Promotion } from '../../format/control-records.ts';
import type { AgentKey, ClusterId } from '../../ids.ts';
import { deadQuorum, fenceQuorum } from './fence-quorum.ts';
import { contradiction, refusal } from './refusal.ts';

/** A voter's word, as it was signed. */
export type SlotVote = {
  readonly voter: AgentKey;
  readonly isGrant: boolean;
  /** Envelope. */
  readonly envelope: Uint8Array;
};

/** A snapshot by its writer and its place in that one's sequence. */
export type SnapshotPlace = { readonly writer: AgentKey; readonly sequence: number };

/** An incarnation that is being voted on; there is one candidate. */
export type Slot = {
  readonly generation: number;
  readonly target: AgentKey;
  readonly fence: Fence;
  readonly plan: PlanHash;
  readonly run: number;
  readonly step: string;
  /** Those of the configuration in force when it was opened: they alone decide it. Sorted. */
  readonly voters: readonly AgentKey[];
  /** One a voter, in the order of the log. */
  readonly votes: readonly SlotVote[];
  readonly index: number;
  /** An operator wants it given up: voters that have not voted yet abandon it. */
  readonly isGivenUp: boolean;
  /** What the plan restores. */
  readonly from: SnapshotPlace;
};

/** Proof that a slot was decided, for whoever has the genesis and knows the voters. */
export type Certificate = Omit<Slot, 'votes' | 'index' | 'isGivenUp' | 'from'> & {
  readonly incarnation: number;
  /** Envelopes of the grants: a fence quorum. */
  readonly votes: readonly Uint8Array[];
};

/** An open slot for a promotion that has been found valid. */
export function openSlot(
  promotion: Promotion,
  context: {
    readonly generation: number;
    readonly index: number;
    readonly voters: readonly AgentKey[];
    readonly from: SnapshotPlace;
  },
): Slot {
  const { target, fence, plan, run, step } = promotion;
  return { ...context, target, fence, plan, run, step, votes: [], isGivenUp: false };
}

/** The slot with one vote more. @throws HoldfastError not-permitted | equivocation */
export function withVote(slot: Slot, vote: FenceVote, word: Omit<SlotVote, 'isGrant'>): Slot {
  const { voter } = word;
  if (!slot.voters.includes(voter)) throw refusal('the slot was opened without this voter');
  const isGrant = vote.target !== undefined;
  const before = slot.votes.find((one) => one.voter === voter);
  const isCandidate = !isGrant || isGrantOf(slot, vote);
  if (before !== undefined) {
    if (before.isGrant === isGrant && isCandidate) throw refusal('this voter has voted already');
    throw contradiction(voter, `${voter.slice(0, 8)} has given two different votes for one slot`);
  }
  if (!isCandidate) throw refusal('the vote names another candidate or fence than the log');
  return { ...slot, votes: [...slot.votes, { ...word, isGrant }] };
}

/**
 * - `decided`: enough grants agree.
 * - `dead`: so many have abandoned it that it cannot be decided.
 * - `open`: neither yet.
 * `faulty`: voters that may sign two words without harm, by the genesis.
 */
export function slotState({ voters, votes }: Slot, faulty: number): 'open' | 'decided' | 'dead' {
  const grants = votes.filter(({ isGrant }) => isGrant).length;
  if (grants >= fenceQuorum(voters.length, faulty)) return 'decided';
  const abandons = votes.length - grants;
  return abandons >= deadQuorum(voters.length, faulty) ? 'dead' : 'open';
}

/** No vote is left, and those that were given contradict each other: of an open slot, which no vote ends any more. */
export function isSplit({ voters, votes }: Pick<Slot, 'voters' | 'votes'>): boolean {
  return votes.length >= voters.length;
}

/** The proof that a decided slot leaves. */
export function certificateOf(slot: Slot, incarnation: number): Certificate {
  const { votes, index: _, isGivenUp: __, from: ___, ...rest } = slot;
  const grants = votes.filter(({ isGrant }) => isGrant).map(({ envelope }) => envelope);
  return { ...rest, incarnation, votes: grants };
}

/** The envelope by which this voter has granted a slot that was decided. */
export function grantIn(
  { votes }: Certificate,
  voter: AgentKey,
  cluster: ClusterId,
): Uint8Array | undefined {
  return votes.find((envelope) => openCommand(envelope, cluster).signers.has(voter));
}

/** It names the candidate and the fence of the slot. */
export function isGrantOf(slot: Pick<Slot, 'target' | 'fence'>, vote: FenceVote): boolean {
  const { generation, index } = slot.fence;
  const isFence = vote.fence.generation === generation && vote.fence.index === index;
  return vote.target === slot.target && isFence;
}
