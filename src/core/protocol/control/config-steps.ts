import type { AgentKey } from '../../ids.ts';
import type { RaftConfig, RaftStatus } from '../raft/types.ts';

export type ConfigStep =
  | { readonly kind: 'configure'; readonly config: RaftConfig; readonly reason: string }
  /** The leader is to leave the voters: another must lead first. */
  | { readonly kind: 'transfer'; readonly to: AgentKey };

/** Learners receive every entry from the leader itself; beyond this it would have little else to do. */
const learnersMax = 32;
/** A learner that lacks no more entries than this votes without holding the log up. */
const lagMax = 64;

/**
 * The next single change that brings the members of the control log closer to the wanted ones; undefined when
 * there is none, or none that is safe now. A new voter learns the log first, and comes before the old one
 * goes; only members that can be reached are added or made voters, so that a change never waits for one that
 * is away.
 */
export function nextConfig(options: {
  readonly self: AgentKey;
  readonly status: RaftStatus;
  readonly wanted: readonly AgentKey[];
  /** All that may take part. */
  readonly members: readonly AgentKey[];
  readonly isReachable: (agent: AgentKey) => boolean;
}): ConfigStep | undefined {
  const { self, status, wanted, members, isReachable } = options;
  const { voters, learners } = status.config;
  const stranger = learners.find((agent) => !members.includes(agent));
  if (stranger !== undefined) {
    const rest = learners.filter((agent) => agent !== stranger);
    return configure(voters, rest, `${short(stranger)} learns no longer`);
  }
  const missing = wanted.filter((agent) => !voters.includes(agent));
  const ready = missing.find((agent) => learners.includes(agent) && hasCaughtUp(agent, status));
  if (ready !== undefined) {
    const rest = learners.filter((agent) => agent !== ready);
    return configure([...voters, ready], rest, `${short(ready)} votes`);
  }
  const others = members.filter((agent) => !voters.includes(agent) && !missing.includes(agent));
  const newLearner = [...missing, ...others].find(
    (agent) => !voters.includes(agent) && !learners.includes(agent) && isReachable(agent),
  );
  if (newLearner !== undefined && learners.length < learnersMax) {
    return configure(voters, [...learners, newLearner], `${short(newLearner)} learns`);
  }
  // Nobody leaves while somebody who shall come has not come, unless none of those can.
  if (missing.some((agent) => isReachable(agent))) return undefined;
  const surplus = voters.filter((agent) => !wanted.includes(agent));
  const leaving = surplus.find((agent) => agent !== self) ?? surplus[0];
  if (leaving === undefined || wanted.length === 0) return undefined;
  if (leaving === self) {
    const successor = wanted.find((agent) => isReachable(agent) && voters.includes(agent));
    return successor === undefined ? undefined : { kind: 'transfer', to: successor };
  }
  const rest = voters.filter((agent) => agent !== leaving);
  const kept = members.includes(leaving) && learners.length < learnersMax;
  return configure(
    rest,
    kept ? [...learners, leaving] : learners,
    `${short(leaving)} votes no longer`,
  );
}

function hasCaughtUp(agent: AgentKey, { progress, commit }: RaftStatus): boolean {
  const known = progress.find((one) => one.agent === agent);
  return known?.isActive === true && known.matchIndex + lagMax >= commit;
}

function configure(
  voters: readonly AgentKey[],
  learners: readonly AgentKey[],
  reason: string,
): ConfigStep {
  return { kind: 'configure', config: { voters, learners }, reason };
}

function short(agent: AgentKey): string {
  return agent.slice(0, 8);
}
