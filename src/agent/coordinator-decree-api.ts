import { HoldfastError } from '../core/errors.ts';
import type { Decree } from '../core/format/control-records.ts';
import type { AgentKey } from '../core/ids.ts';
import type { Agent } from './agent.ts';
import type {
  DecreeApi,
  DecreeDraft,
  DecreeMember,
  DecreeReport,
} from './coordinator-decree-types.ts';
import { isQuorate } from './coordinator-quorum.ts';
import { voterKeys } from './layout-api.ts';

export function decreeApi(agent: Agent): DecreeApi {
  return {
    prepareDecree: (request) => prepare(agent, request),
    announceDecree: async ({ envelope }) => {
      const bytes = new Uint8Array(Buffer.from(envelope, 'base64'));
      const { decree, leftMs } = await agent.control.decrees.announce(bytes);
      return { ...facts(agent, decree), leftMs };
    },
    decree: () => {
      const { pending } = agent.control.decrees;
      if (pending === undefined) return Promise.resolve({});
      const { decree, leftMs } = pending;
      return Promise.resolve({ pending: { ...facts(agent, decree), leftMs } });
    },
  };
}

async function prepare(
  agent: Agent,
  request: { voters: string[]; reason: string; noticeMs?: number },
): Promise<DecreeDraft> {
  // Where two decrees have begun one generation, each part may have a quorum: a third decree must end one.
  if (agent.control.decrees.rivals.size === 0 && (await isQuorate(agent))) {
    throw new HoldfastError(
      'not-permitted',
      'a quorum of the voters answers: no decree is needed',
      {
        next: 'change the voters by layout: holdfast layout plan',
      },
    );
  }
  const least = agent.control.log.state.policy.current.decreeNoticeMs;
  const { reason, noticeMs = least } = request;
  if (noticeMs < least) {
    throw new HoldfastError('not-permitted', `the policy asks for a notice of ${least} ms`, {
      next: 'leave --notice out',
    });
  }
  const voters = voterKeys(agent, request.voters);
  const { payload, decree, asked } = await agent.control.decrees.prepare({
    voters,
    reason,
    noticeMs,
  });
  const members = agent.ledger.roster.members().map(({ agentKey }) => agentKey);
  return {
    ...facts(agent, decree),
    clusterId: agent.ledger.cluster,
    payload: Buffer.from(payload).toString('base64'),
    asked: named(agent, asked),
    silent: named(
      agent,
      members.filter((member) => !asked.includes(member)),
    ),
  };
}

function facts(agent: Agent, decree: Decree): Omit<DecreeReport, 'leftMs'> {
  const { generation, voters, abandoned, logSize, reason, noticeMs } = decree;
  return {
    generation,
    voters: named(agent, voters),
    abandoned: named(agent, abandoned),
    logSize,
    reason,
    noticeMs,
  };
}

function named(agent: Agent, keys: readonly AgentKey[]): DecreeMember[] {
  return keys
    .map((key) => ({ name: agent.nameOf(key), agentKey: key }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
