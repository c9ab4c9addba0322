import { codeOf } from '../core/errors.ts';
import { manifestStream } from '../core/format/statement.ts';
import { type AgentKey, type DatasetId, shortId } from '../core/ids.ts';
import { dayMs } from '../base/units.ts';
import { type Budget, writerBudgetFor, type WriterBudget } from '../core/policy/policy-terms.ts';
import type { BudgetBookOptions, Excess } from '../services/budget-book.ts';
import { type OverBudget, type SaidBefore, StatementBudget } from '../services/statement-budget.ts';
import type { Agent } from './agent.ts';
import type { AgentPorts } from './agent-ports.ts';
import { excessText } from './refusal-report.ts';

/** What the policy allows sources, and what happens when that is not enough. Read when it is needed. */
export function budgetRules(
  agent: Agent,
): Pick<BudgetBookOptions, 'budgetFor' | 'writerBudgetFor' | 'nowMs' | 'onOver'> {
  const budgetFor = (writer: AgentKey, dataset: DatasetId): Budget | undefined => {
    // A dataset that is not known here yet has the rule of those without a name.
    const name = agent.ledger.roster.datasetOf(writer, dataset)?.ruleName ?? '';
    return agent.control.log.state.policy.ruleFor(name).budget;
  };
  const onOver = (excess: Excess): void => {
    tellOfBytes(agent, excess);
    if (excess.isTaken) quarantine(agent, excess);
  };
  return {
    ...{ budgetFor, onOver, writerBudgetFor: (writer) => writerBudget(agent, writer) },
    nowMs: () => agent.keeping.hostClock.nowMs(),
  };
}

/** How much members may say, and who hears of it when that is not enough. */
export function statementBudget(
  agent: Agent,
  { promises, clock, log }: Pick<AgentPorts, 'promises' | 'clock' | 'log'>,
  said: SaidBefore,
): StatementBudget {
  const options = {
    budgetFor: (writer: AgentKey) => writerBudget(agent, writer),
    nowMs: () => agent.keeping.hostClock.nowMs(),
    onOver: (over: OverBudget) => tellOfStatements(agent, over),
  };
  const { ledger } = agent;
  return new StatementBudget({ records: promises, ledger, clock, log, ...options }, said);
}

/** One sentence for people about a member whose statements wait. */
export function overBudgetText(agent: Agent, { writer, why }: OverBudget): string {
  const name = agent.nameOf(writer);
  return `${name} says more than its budget allows (${why}); the rest waits until tomorrow, and its snapshots are not signed for. Look at that host: holdfast peer show ${name}; to allow more, raise writers[].budget: holdfast policy show`;
}

function writerBudget(agent: Agent, writer: AgentKey): WriterBudget {
  const name = agent.ledger.roster.member(writer)?.name ?? '';
  return writerBudgetFor(agent.control.log.state.policy.current, name);
}

function tellOfStatements(agent: Agent, over: OverBudget): void {
  const peer = agent.nameOf(over.writer);
  const what = { actor: peer, action: 'statements over budget', subject: '' } as const;
  agent.audit.log.note({ ...what, kind: 'refusal', outcome: 'refused', detail: over.why });
  const subject = `${over.writer}/${over.day}`;
  const facts = { peer, reason: over.why };
  const text = overBudgetText(agent, over);
  agent.alarms.raise({ kind: 'over-budget', subject, text, facts }).catch(() => {});
}

function tellOfBytes(agent: Agent, excess: Excess): void {
  const { writer, dataset, reason, isTaken } = excess;
  const peer = agent.nameOf(writer);
  const name = agent.ledger.roster.datasetOf(writer, dataset)?.name ?? shortId(dataset);
  const what = { actor: peer, action: 'shards over budget', subject: name } as const;
  const outcome = isTaken ? 'done' : 'refused';
  agent.audit.log.note({ ...what, kind: 'refusal', outcome, detail: reason });
  const text = excessText(agent, excess);
  const day = Math.floor((agent.keeping.hostClock.nowMs() ?? 0) / dayMs);
  const subject = `${writer}/${dataset}/${day}/${outcome}`;
  const facts = { peer, dataset: name, reason };
  agent.alarms.raise({ kind: 'over-budget', subject, text, facts }).catch(() => {});
}

/** Without a quorum nothing expires anyway; the next shard of another day says it again. */
function quarantine(agent: Agent, { writer, dataset, reason }: Excess): void {
  const { log } = agent.control;
  const sequence = (agent.ledger.head(writer, manifestStream(dataset))?.sequence ?? 0) + 1;
  log.submit({ kind: 'quarantine', dataset, writer, sequence, reason }).catch((error: unknown) => {
    if (codeOf(error) === undefined) throw error;
  });
}
