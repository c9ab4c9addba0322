import type {
  BodyOf,
  CommandHash,
  RestoreKeys,
  RestoreRequest,
} from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import type { TimeWait } from './time-book.ts';

/** The first three are under way; the others are final. */
export const grantStates = [
  /** Enough operators have signed; nothing is resealed yet. */
  'approved',
  /** The keys are resealed. */
  'granted',
  /** The agent restores: into one directory, until it is through or the time is over. */
  'in-use',
  'used',
  'withdrawn',
  'revoked',
  'expired',
] as const;

/** A request to restore that operators have approved, and what became of it. */
export type RestoreGrant = {
  /** Hash of the request, as an envelope would hold it. */
  readonly id: CommandHash;
  readonly request: RestoreRequest;
  readonly state: (typeof grantStates)[number];
  /** Operators, sorted. */
  readonly approvals: readonly AgentKey[];
  /** Of the entry that approved it. */
  readonly index: number;
  readonly timeMs: number;
  /** Until it expires: approved, for want of keys; afterwards by its own time. */
  readonly wait: TimeWait;
  /** Set once granted. The keys are let go when it has ended. */
  readonly grant:
    | { readonly keys: RestoreKeys | undefined; readonly by: AgentKey; readonly index: number }
    | undefined;
  /** Of the entry with which the agent began to restore; 0 before. */
  readonly useIndex: number;
  /** Of the entry with which it ended; 0 before. */
  readonly endIndex: number;
  /** Why it has ended. */
  readonly reason: string;
};

export function isGrantUnderWay({ state }: RestoreGrant): boolean {
  return state === 'approved' || state === 'granted' || state === 'in-use';
}

/** The grant once it has ended: what opens something is forgotten. */
export function ended(
  grant: RestoreGrant,
  end: Pick<RestoreGrant, 'state' | 'endIndex' | 'reason'>,
): RestoreGrant {
  const without = grant.grant === undefined ? undefined : { ...grant.grant, keys: undefined };
  return { ...grant, ...end, grant: without };
}

/** Which end an agent, and which an operator may say. */
export function isEndOfAgent({ outcome }: BodyOf<'restore-end'>): boolean {
  return outcome !== 'revoked';
}
