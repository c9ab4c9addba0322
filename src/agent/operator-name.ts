import { type AgentKey, shortId } from '../core/ids.ts';
import type { Agent } from './agent.ts';

/** An operator as people know it, with the beginning of the key; those removed since, too. */
export function operatorName(agent: Agent, key: AgentKey): string {
  const versions = agent.control.log.state.operators.history.toReversed();
  for (const { value } of versions) {
    const operator = value.operators.find((one) => one.key === key);
    if (operator !== undefined) return `${operator.name} (${shortId(key)})`;
  }
  return shortId(key);
}
