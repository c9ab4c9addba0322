import type { AgentKey } from '../core/ids.ts';
import { lintVoters } from '../core/policy/voter-choice.ts';
import type { Agent } from './agent.ts';
import type { CoordinatorStatus } from './api.ts';
import { isQuorate } from './coordinator-quorum.ts';
import type { CommandReport, CoordinatorApi, CoordinatorReport } from './coordinator-types.ts';
import { givenUpWarnings } from './given-up-hosts.ts';
import { expulsionReport } from './membership-loss.ts';

export function coordinatorApi(agent: Agent): CoordinatorApi {
  return {
    coordinator: () => coordinatorReport(agent),
    stepDown: ({ to }) => stepDown(agent, to),
    submitCommand: ({ envelope }) => submitCommand(agent, envelope),
  };
}

async function coordinatorReport(agent: Agent): Promise<CoordinatorReport> {
  const control = agent.control.log;
  const isConfirmed = await isQuorate(agent);
  const { generation, term, config, commit, firstIndex, progress } = control.status();
  const leader = control.leaderByHearsay;
  const candidates = agent.control.voters.candidates();
  const { version, mode } = control.state.layout.current;
  const expulsion = expulsionReport(agent);
  const voters = config.voters.map((key) => {
    const known = candidates.find((one) => one.agent === key);
    const said = control.state.time.of(key);
    const match = progress.find((one) => one.agent === key)?.matchIndex;
    return {
      name: agent.nameOf(key),
      site: known?.site ?? '?',
      agentKey: key,
      isReachable: known?.isReachable === true,
      isWitness: known?.roles.includes('witness') === true,
      ...(said === undefined ? {} : { saidMs: said.timeMs }),
      ...(match === undefined ? {} : { lag: Math.max(0, commit - match) }),
    };
  });
  return {
    clusterId: agent.ledger.cluster,
    generation,
    term,
    role: roleOf(agent),
    ...(leader === undefined ? {} : { leader: agent.nameOf(leader) }),
    isConfirmed,
    quorum: Math.floor(config.voters.length / 2) + 1,
    votersReachable: voters.filter(({ isReachable }) => isReachable).length,
    voters,
    learners: config.learners.map((key) => agent.nameOf(key)),
    commit,
    applied: control.appliedIndex,
    first: firstIndex,
    layout: { version, mode },
    logTimeMs: control.state.time.nowMs,
    format: control.state.format.current,
    ...(expulsion === undefined ? {} : { expulsion }),
    warnings: [
      ...agent.control.troubles.all(),
      ...lintVoters(candidates, config.voters, control.state.genesis.byzantineVoters),
      ...givenUpWarnings(agent),
    ].map(({ text, next }) => ({ text, next })),
  };
}

/** The short form, for which nobody is asked. */
export function coordinatorStatus(agent: Agent): CoordinatorStatus {
  const { config } = agent.control.log.status();
  const leader = agent.control.log.leaderByHearsay;
  const candidates = agent.control.voters.candidates();
  const missing = config.voters.filter(
    (key) => candidates.find((one) => one.agent === key)?.isReachable !== true,
  );
  const quorum = Math.floor(config.voters.length / 2) + 1;
  const votersReachable = config.voters.length - missing.length;
  return {
    ...(leader === undefined ? {} : { leader: agent.nameOf(leader) }),
    hasQuorum: leader !== undefined && votersReachable >= quorum,
    quorum,
    voters: config.voters.length,
    votersReachable,
    missing: missing.map((key) => agent.nameOf(key)).sort(),
  };
}

function roleOf(agent: Agent): CoordinatorReport['role'] {
  const control = agent.control.log;
  if (control.fencedBy !== undefined) return 'fenced';
  const { role, config } = control.status();
  if (role === 'leader') return 'leader';
  if (!config.voters.includes(control.self)) return 'learner';
  return role === 'follower' ? 'follower' : 'candidate';
}

async function stepDown(agent: Agent, to: string | undefined): Promise<CoordinatorReport> {
  const control = agent.control.log;
  await control.confirm();
  const key: AgentKey | undefined =
    to === undefined ? undefined : agent.ledger.roster.memberByName(to).agentKey;
  await control.handOver(key);
  return coordinatorReport(agent);
}

async function submitCommand(agent: Agent, envelope: string): Promise<CommandReport> {
  const bytes = new Uint8Array(Buffer.from(envelope, 'base64'));
  const control = agent.control.log;
  const applied = await agent.control.submitBrought(bytes);
  return { ...applied, generation: control.status().generation };
}
