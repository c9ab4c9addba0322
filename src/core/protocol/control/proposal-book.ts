import type { CommandHash } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import { isUnderWay, type Proposal } from './proposal.ts';
import { refusal } from './refusal.ts';
import type { TimeBook, TimeWait } from './time-book.ts';

/** What operators sign one after the other, and what waits. Rules are in `proposal-change`. */
export class ProposalBook {
  /** By hash, oldest first. */
  readonly #proposals = new Map<CommandHash, Proposal>();

  /** Oldest first; of those that have ended, the newest controlBounds.endedProposalsMax. */
  all(): readonly Proposal[] {
    return [...this.#proposals.values()];
  }

  of(hash: CommandHash): Proposal | undefined {
    return this.#proposals.get(hash);
  }

  underWay(): readonly Proposal[] {
    return this.all().filter(isUnderWay);
  }

  waits(): readonly TimeWait[] {
    return this.underWay().map(({ wait }) => wait);
  }

  /** A single operator must not be able to keep all others from proposing. @throws HoldfastError not-permitted */
  requireRoom(proposers: readonly AgentKey[]): void {
    // Those of agents are counted apart: no agent keeps operators from proposing.
    const open = this.underWay().filter(({ command }) => command.body.kind !== 'restore-request');
    const { openProposalsMax, proposalsPerOperatorMax } = controlBounds;
    if (open.length >= openProposalsMax) throw refusal('too many proposals are under way');
    const isFull = (key: AgentKey): boolean =>
      open.filter(({ approvals }) => approvals[0]?.operator === key).length >=
      proposalsPerOperatorMax;
    if (proposers.every(isFull)) throw refusal('this operator has too many proposals under way');
  }

  /** In the place of the one of the same hash, else as the newest. */
  set(proposal: Proposal): void {
    this.#proposals.set(proposal.hash, proposal);
    const ended = this.all().filter((one) => !isUnderWay(one));
    const surplus = Math.max(0, ended.length - controlBounds.endedProposalsMax);
    for (const { hash } of ended.slice(0, surplus)) this.#proposals.delete(hash);
  }

  /** What voters have said of the time may let a wait begin. */
  settle(time: TimeBook): void {
    for (const proposal of this.underWay()) {
      const wait = time.settled(proposal.wait);
      if (wait !== proposal.wait) this.set({ ...proposal, wait });
    }
  }

  /** They were signed for a generation that is over. */
  endAll(reason: string, index: number): void {
    for (const proposal of this.underWay()) {
      this.set({ ...proposal, state: 'failed', reason, endIndex: index });
    }
  }

  load(proposals: readonly Proposal[]): void {
    this.#proposals.clear();
    for (const proposal of proposals) this.#proposals.set(proposal.hash, proposal);
  }
}
