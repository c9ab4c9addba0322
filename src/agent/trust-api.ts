import { HoldfastError } from '../core/errors.ts';
import { encodeCommand } from '../core/format/control-command.ts';
import { type AgentKey, shortId } from '../core/ids.ts';
import { countingFor, signaturesNeeded } from '../core/protocol/control/grant-approval.ts';
import { isUnderWay, type Proposal } from '../core/protocol/control/proposal.ts';
import { lackOf } from '../core/protocol/control/proposal-change.ts';
import type { Agent } from './agent.ts';
import { commandWords } from './command-words.ts';
import { hearNews } from './coordinator-news.ts';
import { operatorName } from './operator-name.ts';
import type { OperatorsReport, ProposalReport, RemovedPeer, TrustApi } from './trust-types.ts';

export function trustApi(agent: Agent): TrustApi {
  return {
    operators: async () => {
      await hearNews(agent);
      return operatorsReport(agent);
    },
    proposals: async () => {
      await hearNews(agent);
      const { proposals } = agent.control.log.state;
      return proposals.all().map((one) => proposalReport(agent, one));
    },
    removedPeers: () => Promise.resolve(removedPeers(agent)),
    veto: (request) => veto(agent, request),
  };
}

function operatorsReport(agent: Agent): OperatorsReport {
  const { version, threshold, operators } = agent.control.log.state.operators.current;
  return { version, threshold, operators: operators.map((one) => ({ ...one })) };
}

function removedPeers(agent: Agent): RemovedPeer[] {
  return agent.control.log.state.members.everyone().flatMap((member) => {
    const { name, site, agent: agentKey, expulsion } = member;
    if (expulsion === undefined) return [];
    const { reason, index, authors } = expulsion;
    const by = authors.map((author) => operatorName(agent, author));
    return [{ name, site, agentKey, reason, by, index }];
  });
}

function proposalReport(agent: Agent, proposal: Proposal): ProposalReport {
  const { state } = agent.control.log;
  const { hash, command, generation, wait, index, endIndex, reason, endedBy } = proposal;
  const threshold = signaturesNeeded(state, command.body);
  const signers = proposal.approvals.map(({ operator }) => operator);
  const needed =
    command.body.kind === 'operators' ? Math.max(threshold, command.body.threshold) : threshold;
  const lacks = proposal.state === 'open' ? lackOf(state, proposal) : undefined;
  const isRunning = isUnderWay(proposal) && wait.sinceMs !== undefined;
  return {
    hash,
    kind: command.body.kind,
    words: commandWords(state, command.body),
    command: Buffer.from(encodeCommand(command)).toString('base64'),
    generation,
    state: proposal.state,
    threshold: needed,
    ...(lacks === undefined ? {} : { lacks }),
    approvals: proposal.approvals.map(({ operator, timeMs }) => ({
      name: operatorName(agent, operator),
      key: operator,
      timeMs,
    })),
    counted: countingFor(state, command.body, signers).length,
    denials: proposal.denials.map((one) => ({
      name: operatorName(agent, one.operator),
      reason: one.reason,
    })),
    ...(isRunning ? { endsMs: (wait.sinceMs ?? 0) + wait.lengthMs } : {}),
    lengthMs: wait.lengthMs,
    index,
    ...(endIndex === 0 ? {} : { endIndex }),
    ...(reason === '' ? {} : { reason }),
    ...(endedBy === undefined ? {} : { vetoedBy: vetoerName(agent, endedBy) }),
  };
}

function vetoerName(agent: Agent, key: AgentKey): string {
  return agent.control.log.state.members.record(key)?.name ?? operatorName(agent, key);
}

async function veto(
  agent: Agent,
  { hash, reason }: { hash: string; reason: string },
): Promise<ProposalReport> {
  const control = agent.control.log;
  const found = control.state.proposals.all().find((one) => one.hash === hash);
  if (found === undefined) {
    throw new HoldfastError('not-found', `there is no proposal ${shortId(hash as AgentKey)}`, {
      next: 'holdfast approve list',
    });
  }
  const answer = await control.submit({ kind: 'veto', hash: found.hash, reason });
  if (answer.outcome === 'void') {
    throw new HoldfastError('not-permitted', `the veto does not count: ${answer.reason}`, {
      next: 'holdfast approve list',
    });
  }
  return proposalReport(agent, control.state.proposals.of(found.hash) ?? found);
}
