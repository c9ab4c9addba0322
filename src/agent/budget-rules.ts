import { codeOf } from '../core/errors.ts';
import { manifestStream } from '../core/format/statement.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import type { Budget } from '../core/policy/policy-terms.ts';
import type { BudgetBookOptions } from '../services/budget-book.ts';
import type { Agent } from './agent.ts';

/** What the policy allows sources, and what happens when that is not enough. Read when it is needed. */
export function budgetRules(
  agent: Agent,
): Pick<BudgetBookOptions, 'budgetFor' | 'nowMs' | 'onOver'> {
  const budgetFor = (writer: AgentKey, dataset: DatasetId): Budget | undefined => {
    // A dataset that is not known here yet has the rule of those without a name.
    const name = agent.ledger.roster.datasetOf(writer, dataset)?.ruleName ?? '';
    return agent.control.log.state.policy.ruleFor(name).budget;
  };
  const onOver = (writer: AgentKey, dataset: DatasetId, reason: string): void => {
    const { log } = agent.control;
    const sequence = (agent.ledger.head(writer, manifestStream(dataset))?.sequence ?? 0) + 1;
    // Without a quorum nothing expires anyway; the next shard of another day says it again.
    log
      .submit({ kind: 'quarantine', dataset, writer, sequence, reason })
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
      });
  };
  return { budgetFor, nowMs: () => agent.keeping.hostClock.nowMs(), onOver };
}
