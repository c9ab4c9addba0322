import type { AgentKey } from '../core/ids.ts';
import type { VoterWarning } from '../core/policy/voter-choice.ts';
import type { Agent } from './agent.ts';

/** Hosts that a decree has given up and that are there again: they follow the log, and nobody asks for their vote. */
export function givenUpWarnings(agent: Agent): readonly VoterWarning[] {
  const { log } = agent.control;
  const back = log.state.members
    .all()
    .filter(({ isAbandoned, agent: key }) => isAbandoned && isThere(agent, key))
    .map(({ name }) => name)
    .sort();
  const [first] = back;
  if (first === undefined) return [];
  const have = back.length === 1 ? 'is back, and has' : 'are back, and have';
  return [
    {
      text: `${back.join(', ')} ${have} no vote since a decree.`,
      next: `holdfast peer set ${first} --role +voter, once nobody decides anything in the old cluster any more`,
    },
  ];
}

function isThere({ control, status }: Agent, key: AgentKey): boolean {
  return key === control.log.self || status.isReachable(key);
}
