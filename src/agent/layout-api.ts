import { HoldfastError } from '../core/errors.ts';
import type { AgentKey } from '../core/ids.ts';
import { chooseVoters, lintVoters, type VoterCandidate } from '../core/policy/voter-choice.ts';
import type { Agent } from './agent.ts';
import { hearNews } from './coordinator-news.ts';
import { givenUpWarnings } from './given-up-hosts.ts';
import type {
  LayoutApi,
  LayoutPlan,
  LayoutReport,
  LayoutVersion,
  LayoutVoter,
  VoterSet,
} from './layout-types.ts';
import { survivalInWords } from './layout-words.ts';
import { operatorName } from './operator-name.ts';

export function layoutApi(agent: Agent): LayoutApi {
  return {
    layout: async () => {
      await hearNews(agent);
      return layoutReport(agent);
    },
    planLayout: async ({ pin }) => {
      await hearNews(agent);
      return layoutPlan(agent, pin);
    },
  };
}

type Wanted = { readonly voters: readonly AgentKey[]; readonly reasons: readonly string[] };

function layoutReport(agent: Agent): LayoutReport {
  const { layout } = agent.control.log.state;
  const { version, mode, voters } = layout.current;
  const wanted = mode === 'auto' ? chosen(agent) : { voters, reasons: [pinnedBy(agent)] };
  const now = voterSet(agent, agent.control.log.status().config.voters);
  return {
    version,
    mode,
    now: { ...now, warnings: [...now.warnings, ...givenUpWarnings(agent)] },
    wanted: voterSet(agent, wanted.voters),
    reasons: [...wanted.reasons],
    history: history(agent),
  };
}

function layoutPlan(agent: Agent, pin: readonly string[] | undefined): LayoutPlan {
  const { version: base } = agent.control.log.state.layout.current;
  const wanted = pin === undefined ? chosen(agent) : pinned(agent, pin);
  return {
    base,
    version: base + 1,
    mode: pin === undefined ? 'auto' : 'pinned',
    now: voterSet(agent, agent.control.log.status().config.voters),
    wanted: voterSet(agent, wanted.voters),
    reasons: [...wanted.reasons],
  };
}

/** What the leader would choose, as far as this host sees the members. */
function chosen(agent: Agent): Wanted {
  return chooseVoters(agent.control.voters.candidates(), agent.control.log.status().config.voters);
}

function pinned(agent: Agent, names: readonly string[]): Wanted {
  const voters = voterKeys(agent, names);
  return { voters, reasons: ['pinned: they stay until operators say otherwise'] };
}

/** The keys of members that may vote. @throws HoldfastError not-found | not-permitted | usage */
export function voterKeys(agent: Agent, names: readonly string[]): AgentKey[] {
  const { members } = agent.control.log.state;
  const voters = names.map((name) => {
    const member = members.all().find((one) => one.name === name);
    if (member !== undefined) return member.agent;
    const { agentKey } = agent.ledger.roster.memberByName(name);
    // It may have been named by the beginning of its key.
    if (members.of(agentKey) !== undefined) return agentKey;
    throw new HoldfastError('not-found', `the control log has not admitted "${name}" yet`, {
      next: 'holdfast coordinator status',
    });
  });
  for (const voter of voters) {
    const objection = members.voterObjection(voter);
    if (objection === undefined) continue;
    const { name = voter, isAbandoned = false } = members.of(voter) ?? {};
    throw new HoldfastError('not-permitted', `${objection}: it cannot vote`, {
      next: isAbandoned ? `holdfast peer set ${name} --role +voter` : 'holdfast peer list',
    });
  }
  if (new Set(voters).size !== voters.length) {
    throw new HoldfastError('usage', 'a voter is named twice', {
      next: 'holdfast layout plan --pin NAME,NAME,..',
    });
  }
  return voters;
}

function pinnedBy(agent: Agent): string {
  const { authors } = history(agent).at(-1) ?? { authors: [] };
  const who = authors.length === 0 ? 'a decree' : authors.join(', ');
  return `pinned by ${who}: they stay until operators say otherwise`;
}

function voterSet(agent: Agent, voters: readonly AgentKey[]): VoterSet {
  const candidates = agent.control.voters.candidates();
  const { byzantineVoters } = agent.control.log.state.genesis;
  return {
    voters: voters
      .map((voter) => layoutVoter(agent, candidates, voter))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    words: survivalInWords(candidates, voters, byzantineVoters),
    warnings: [...lintVoters(candidates, voters, byzantineVoters)],
  };
}

function layoutVoter(
  agent: Agent,
  candidates: readonly VoterCandidate[],
  voter: AgentKey,
): LayoutVoter {
  const known = candidates.find((one) => one.agent === voter);
  const { site = '?', region = '?', isReachable = false, roles = [] } = known ?? {};
  return {
    name: agent.nameOf(voter),
    site,
    region,
    agentKey: voter,
    isReachable,
    isWitness: roles.includes('witness') && !roles.includes('voter'),
  };
}

function history(agent: Agent): LayoutVersion[] {
  return agent.control.log.state.layout.history.map(({ value, authors, index, timeMs }) => ({
    version: value.version,
    mode: value.mode,
    voters: value.voters.map((voter) => ({ name: agent.nameOf(voter), agentKey: voter })),
    authors: authors.map((author) => operatorName(agent, author)),
    timeMs,
    index,
  }));
}
