import type { AgentKey } from '../../src/core/ids.ts';

/** The key of the member with this number, at most 255: told apart at a glance in a trace. */
export function keyOf(number: number): AgentKey {
  return number.toString(16).padStart(2, '0').repeat(32) as AgentKey;
}

export function numberOf(key: AgentKey): number {
  return Number.parseInt(key.slice(0, 2), 16);
}

/** A, B, C and so on. */
export function nameOf(key: AgentKey): string {
  return String.fromCharCode(65 + numberOf(key));
}
