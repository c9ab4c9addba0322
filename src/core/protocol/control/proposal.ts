import type { CommandHash, ControlCommand } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import type { TimeWait } from './time-book.ts';

export const proposalStates = [
  /** It needs more signatures. */
  'open',
  /** It has them, cannot be taken back, and may still be stopped. */
  'waiting',
  'done',
  /** It had its signatures, and did not hold any more when it should take effect. */
  'failed',
  'denied',
  'vetoed',
  'expired',
] as const;

export type ProposalState = (typeof proposalStates)[number];

/** A command that operators sign one after the other, or that waits. */
export type Proposal = {
  readonly hash: CommandHash;
  readonly command: ControlCommand;
  /** Holds the command, or proposes it. */
  readonly envelope: Uint8Array;
  readonly generation: number;
  readonly index: number;
  readonly state: ProposalState;
  /** In the order of the log, each operator once. */
  readonly approvals: readonly Approval[];
  readonly denials: readonly Denial[];
  /** Open: until it expires. Waiting: until it takes effect. */
  readonly wait: TimeWait;
  /** Of the entry with which it ended; 0 before. */
  readonly endIndex: number;
  /** Why it ended without effect. */
  readonly reason: string;
  /** Who has vetoed it. */
  readonly endedBy: AgentKey | undefined;
};

export type Approval = {
  readonly operator: AgentKey;
  readonly index: number;
  /** By the operator's clock, for people. */
  readonly timeMs: number;
  /** That approves; undefined: the one that proposed. */
  readonly envelope: Uint8Array | undefined;
};

export type Denial = {
  readonly operator: AgentKey;
  readonly index: number;
  readonly reason: string;
};

export function isUnderWay({ state }: Proposal): boolean {
  return state === 'open' || state === 'waiting';
}

/** The envelopes that together hold the command and its signatures. */
export function evidenceOf({ envelope, approvals }: Proposal): Uint8Array[] {
  const more = approvals.flatMap((one) => (one.envelope === undefined ? [] : [one.envelope]));
  return [envelope, ...new Set(more)];
}
