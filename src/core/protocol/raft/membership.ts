import type { AgentKey } from '../../ids.ts';
import type { RaftConfig } from './types.ts';

/** True when its vote counts. */
export function isVoter(config: RaftConfig, agent: AgentKey): boolean {
  return config.voters.includes(agent);
}

/** Voters and learners, in this order. */
export function membersOf(config: RaftConfig): readonly AgentKey[] {
  return [...config.voters, ...config.learners];
}

/** Voters that are more than half of all. */
export function quorumOf(config: RaftConfig): number {
  return Math.floor(config.voters.length / 2) + 1;
}

/**
 * The highest number that a quorum of the voters has reached: of what each has stored, or of the round
 * that each has answered. Nothing is reached without voters.
 */
export function reachedByQuorum(config: RaftConfig, reached: (voter: AgentKey) => number): number {
  const descending = config.voters.map(reached).sort((a, b) => b - a);
  return descending[quorumOf(config) - 1] ?? 0;
}

/**
 * Why one configuration must not follow the other; undefined when it may. Any two majorities of
 * configurations that differ in one voter have a voter in common (dissertation, section 4.1).
 */
export function problemOfChange(from: RaftConfig, to: RaftConfig): string | undefined {
  const problem = problemOfConfig(to);
  if (problem !== undefined) return problem;
  const voters = difference(from.voters, to.voters);
  if (voters > 1) return `${voters} voters differ, at most one may`;
  if (voters + difference(from.learners, to.learners) === 0) return 'nothing changes';
  return undefined;
}

/** Why a log cannot be kept by these members; undefined when it can. */
export function problemOfConfig(config: RaftConfig): string | undefined {
  const members = membersOf(config);
  if (config.voters.length === 0) return 'there is no voter';
  if (config.voters.length > 255 || config.learners.length > 255) return 'there are over 255';
  if (new Set(members).size < members.length) return 'a member is named twice';
  if (!members.every((member) => /^[0-9a-f]{64}$/.test(member))) return 'a name is not a key';
  return undefined;
}

function difference(a: readonly AgentKey[], b: readonly AgentKey[]): number {
  const [inA, inB] = [new Set(a), new Set(b)];
  return a.filter((key) => !inB.has(key)).length + b.filter((key) => !inA.has(key)).length;
}
