import type { AgentKey } from '../core/ids.ts';
import type { Agent } from './agent.ts';
import type { Contradiction } from './check-types.ts';

/** Oldest first, one for each writer: by what lies here as proof, and by what the control log has found. */
export function contradictions(agent: Agent): Contradiction[] {
  const { ledger, control } = agent;
  const { findings, members } = control.log.state;
  const found: { readonly key: AgentKey; readonly where: string }[] = [
    ...findings.equivocations.map(({ agent: key }) => ({ key, where: 'the control log' })),
    ...ledger.forks().map(({ writer, stream }) => ({ key: writer, where: stream })),
  ];
  const open = found.filter(({ key }) => members.record(key)?.expulsion === undefined);
  return [...new Map(open.map((one) => [one.key, one])).values()].map(({ key, where }) => {
    const writer = agent.nameOf(key);
    return { writer, writerKey: key, text: `${writer} has signed two histories (${where})` };
  });
}
