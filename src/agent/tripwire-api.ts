import { type AgentKey, shortId } from '../core/ids.ts';
import type { JudgedLine, Verdict } from '../services/suspicion.ts';
import type { Agent } from './agent.ts';
import { hearNews } from './coordinator-news.ts';
import { operatorName } from './operator-name.ts';
import type { SuspectReport, SuspicionReport, TripwireApi } from './tripwire-types.ts';

export function tripwireApi(agent: Agent): TripwireApi {
  return {
    tripwires: async () => {
      await hearNews(agent);
      return suspectReports(agent);
    },
  };
}

/** Undefined: nothing is to be said of it. */
export function suspicionReport(
  verdict: Verdict | undefined,
  nameOf: (operator: AgentKey) => string,
): SuspicionReport | undefined {
  if (verdict === undefined || verdict.state === 'clean') return undefined;
  if (verdict.state === 'after-suspect') {
    const { suspect } = verdict;
    return { state: 'after-suspect', reasons: [`made after ${shortId(suspect)}`], suspect };
  }
  const reasons = verdict.wires.map(({ reason }) => reason);
  if (verdict.state === 'suspect') return { state: 'suspect', reasons };
  const { authors, reason, timeMs } = verdict.by;
  const operators = authors.map(nameOf);
  return { state: 'cleared', reasons, clearedBy: { operators, reason, timeMs } };
}

/** What operators are called, for those who ask this agent. */
export function namesOf(agent: Agent): (operator: AgentKey) => string {
  return (operator) => operatorName(agent, operator);
}

/** One line for each snapshot that a person has to look at. */
export function tripwireWarnings(agent: Agent): string[] {
  return agent.suspicion.suspects().map(({ record, verdict }) => {
    const { statement, manifest, hash } = record;
    const name = agent.ledger.roster.datasetOf(statement.writer, manifest.dataset)?.name ?? '?';
    const reasons = suspicionReport(verdict, namesOf(agent))?.reasons ?? [];
    return `snapshot ${shortId(hash)} of ${name} is suspect (${reasons.join('; ')}): holdfast tripwire show ${shortId(hash)}`;
  });
}

function suspectReports(agent: Agent): SuspectReport[] {
  const judged = agent.suspicion.lines().flat();
  const of = (state: Verdict['state']): SuspectReport[] =>
    judged
      .filter(({ verdict }) => verdict.state === state)
      .map((one) => suspectReport(agent, one))
      .sort((a, b) => b.timeMs - a.timeMs);
  return [...of('suspect'), ...of('cleared')];
}

function suspectReport(agent: Agent, { record, verdict }: JudgedLine[number]): SuspectReport {
  const { statement, manifest, hash } = record;
  const { writer, timeMs } = statement;
  const { changes, totals } = manifest;
  const wires = 'wires' in verdict ? verdict.wires.map(({ wire }) => wire) : [];
  const last = agent.suspicion.lastClean(manifest.dataset, writer);
  const lastClean =
    last === undefined ? undefined : { snapshot: last.hash, timeMs: last.statement.timeMs };
  return {
    ...(suspicionReport(verdict, namesOf(agent)) ?? { state: 'suspect', reasons: [] }),
    snapshot: hash,
    dataset: agent.ledger.roster.datasetOf(writer, manifest.dataset)?.name ?? manifest.dataset,
    source: agent.nameOf(writer),
    timeMs,
    wires,
    files: {
      compared: changes.filesCompared,
      changed: totals.filesChanged,
      new: totals.filesNew,
      deleted: changes.filesDeleted,
    },
    bytesNew: changes.bytesNew,
    ...(verdict.state === 'suspect' && lastClean !== undefined ? { lastClean } : {}),
  };
}
