import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { OldCode } from '../services/old-code.ts';
import type { Agent } from './agent.ts';
import type { OldCodeReport } from './api.ts';

/** Old snapshots go some day, and with them the packs that only they name. */
export function isExpiring(agent: Agent, ruleName: string): boolean {
  return agent.control.log.state.policy.ruleFor(ruleName).retention !== undefined;
}

/** What is still in a code of before the cluster grew, and what is to come of it. */
export function oldCodeReport(
  agent: Agent,
  dataset: DatasetRecord,
  { packs, bytes, ofBytes, reason, isSafer }: OldCode,
): OldCodeReport {
  const stays = whyItStays(agent, dataset, isSafer);
  return { packs, bytes, ofBytes, reason, ...(stays !== undefined && { stays }) };
}

function whyItStays(agent: Agent, dataset: DatasetRecord, isSafer: boolean): string | undefined {
  if (agent.ledger.roster.member(dataset.writer)?.hasRole('source') !== true) {
    return 'its source has left, and nobody else can sign other packs';
  }
  if (isSafer || isExpiring(agent, dataset.ruleName)) return undefined;
  return 'no snapshot of it ever expires, so both would be kept (see retention in the policy)';
}
