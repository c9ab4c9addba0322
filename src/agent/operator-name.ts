import { type AgentKey, shortId } from '../core/ids.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import type { Agent } from './agent.ts';

/** An operator as people know it, with the beginning of the key; those removed since, too. */
export function operatorName(agent: Agent, key: AgentKey): string {
  return operatorNameBy(agent.control.log.state, key);
}

/** The same by a control log; undefined: none is known. */
export function operatorNameBy(
  state: Pick<ControlState, 'operators'> | undefined,
  key: AgentKey,
): string {
  for (const { value } of state?.operators.history.toReversed() ?? []) {
    const operator = value.operators.find((one) => one.key === key);
    if (operator !== undefined) return `${operator.name} (${shortId(key)})`;
  }
  return shortId(key);
}
