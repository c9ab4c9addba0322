import { toHex } from '../../../base/bytes.ts';
import type { AgentKey } from '../../ids.ts';
import type { Progress } from './progress.ts';

/** What a member is at the moment, with what it knows only as that. */
export type Role = Follower | Candidate | Leader;

export type Follower = { readonly kind: 'follower'; readonly leader: AgentKey | undefined };

/** `pre-candidate` asks whether it would win, without touching anybody's term (dissertation, 9.6). */
export type Candidate = {
  readonly kind: 'pre-candidate' | 'candidate';
  readonly granted: Set<AgentKey>;
};

export type Leader = {
  readonly kind: 'leader';
  /** Of every other member of the newest configuration. */
  readonly progress: Map<AgentKey, Progress>;
  /** Of heartbeats; grows by one with each. */
  round: number;
  ticksToHeartbeat: number;
  /** In the order in which they were asked. */
  reads: readonly PendingRead[];
  transfer: Transfer | undefined;
};

/** Answered when a quorum has answered a round that began after it was asked. */
export type PendingRead = { readonly id: number; readonly round: number };

/** Proposals wait for the handover to succeed or to be given up. */
export type Transfer = { readonly to: AgentKey; readonly ticksLeft: number };

/** The leader of the term, as far as it is known. */
export function leaderOf(role: Role, self: AgentKey): AgentKey | undefined {
  if (role.kind === 'leader') return self;
  return role.kind === 'follower' ? role.leader : undefined;
}

export function cloneRole(role: Role): Role {
  switch (role.kind) {
    case 'follower':
      return role;
    case 'pre-candidate':
    case 'candidate':
      return { kind: role.kind, granted: new Set(role.granted) };
    case 'leader': {
      const progress = [...role.progress].map(([agent, one]) => [agent, { ...one }] as const);
      return { ...role, progress: new Map(progress) };
    }
  }
}

/** The same for roles that behave alike in the same log, and for them only. */
export function fingerprintOfRole(role: Role): unknown {
  switch (role.kind) {
    case 'follower':
      return [role.kind, role.leader];
    case 'pre-candidate':
    case 'candidate':
      return [role.kind, [...role.granted].sort()];
    case 'leader': {
      const { round, ticksToHeartbeat, reads, transfer } = role;
      const progress = [...role.progress].map(([agent, one]) => [
        agent,
        { ...one, sending: sendingMark(one) },
      ]);
      return [role.kind, round, ticksToHeartbeat, reads, transfer, progress];
    }
  }
}

function sendingMark({ sending }: Progress): unknown {
  if (sending.kind !== 'snapshotting') return sending;
  const { index, state } = sending.snapshot;
  return { ...sending, snapshot: [index, toHex(state)] };
}
