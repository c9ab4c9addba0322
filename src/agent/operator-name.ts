import { type AgentKey, shortId } from '../core/ids.ts';
import type { Agent } from './agent.ts';

/** An operator as people know it, with the beginning of the key: names are not unique. */
export function operatorName(agent: Agent, key: AgentKey): string {
  const operator = agent.ledger.roster.genesis.operators.find((one) => one.key === key);
  return operator === undefined ? shortId(key) : `${operator.name} (${shortId(key)})`;
}
