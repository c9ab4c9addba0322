import { utf8 } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import { clusterStream, drillStream } from '../core/format/statement.ts';
import { limits } from '../core/limits.ts';
import { shapeOf } from '../core/policy/data-shape.ts';
import {
  type DrillKind,
  type DrillReport,
  decodeDrillReport,
} from '../core/policy/drill-report.ts';
import { objectivesFor } from '../core/policy/policy-terms.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { Agent } from './agent.ts';
import { drillSubject } from './drill-draft.ts';
import { hoursText } from '../core/policy/load-window.ts';
import type { AuditEvent } from '../services/audit/audit-log.ts';
import { isRehearsal } from '../services/drill/drill-history.ts';
import type { PlannedDrill } from '../services/drill/drill-schedule.ts';
import type {
  DrillApi,
  DrillEntry,
  DrillPlanReport,
  DrillStatus,
  DrillTerms,
  ShapedDataset,
} from './drill-types.ts';

export function drillApi(agent: Agent): DrillApi {
  return {
    drillTerms: async (request) => drillTerms(agent, request),
    drillShape: async ({ dataset }) => drillShape(agent, dataset),
    recordDrill: ({ report }) => recordDrill(agent, report),
    drills: async () => entries(agent),
    drillEvidence: () => evidence(agent),
    drillKey: async () => ({ recipient: await agent.drilling.key.recipient() }),
    drillSchedule: async () =>
      agent.drilling.schedule.planned().map((one) => planReport(agent, one)),
    runDrill: (request) => agent.drilling.events(request),
  };
}

export function drillTerms(
  agent: Agent,
  { dataset, scenario = 'dataset' }: { dataset?: string; scenario?: DrillKind },
): DrillTerms {
  const { ledger } = agent;
  const { roster } = ledger;
  const { name, site, agentKey } = agent.member();
  const rule =
    dataset === undefined ? undefined : roster.ruleFor(agent.lines.find(dataset).ruleName);
  return {
    cluster: { id: ledger.cluster, name: roster.genesis.name },
    agent: { name, site, key: agentKey },
    policyVersion: roster.policy.version,
    objectives: rule === undefined ? {} : objectivesFor(rule, scenario),
    approvals: { needed: rule?.restore?.approvals ?? 0, by: [...(rule?.restore?.by ?? [])] },
    checks: [...(rule?.drill?.checks ?? [])],
  };
}

function drillShape(agent: Agent, wanted: string): ShapedDataset {
  const dataset = agent.lines.find(wanted);
  const { id, name } = dataset;
  const shape = shapeOf(agent.lines.line(id).map(({ manifest }) => manifest));
  if (shape !== undefined) return { dataset: drillSubject(dataset, agent.ledger.roster), shape };
  throw new HoldfastError(
    'not-found',
    `${name} was never backed up: nothing is known of its shape`,
    {
      next: `holdfast backup --dataset ${name}`,
    },
  );
}

export async function recordDrill(agent: Agent, text: string): Promise<{ id: string }> {
  const bytes = utf8(text);
  if (bytes.length > limits.drillReportSizeMax) {
    throw new HoldfastError('limit-exceeded', 'the drill report is too large to sign');
  }
  const report = decodeDrillReport(bytes);
  const self = agent.member();
  // What others run is theirs to sign.
  if (report.agent.key !== self.agentKey || report.cluster.id !== agent.ledger.cluster) {
    throw new HoldfastError('usage', 'the report is not of a drill that was run on this host');
  }
  const { hash } = await agent.ledger.append(drillStream, { kind: 'drill', report: bytes });
  agent.audit.log.note({
    ...auditedAs(report),
    actor: self.name,
    outcome: report.outcome === 'failed' ? 'refused' : 'done',
    detail: report.outcome,
  });
  return { id: hash };
}

/** A validation restores nothing: what the auditor says of it is a decision. */
function auditedAs({
  kind,
  dataset,
  where,
}: DrillReport): Pick<AuditEvent, 'kind' | 'action' | 'subject'> {
  return kind === 'validation'
    ? { kind: 'decision', action: 'validation', subject: dataset?.name ?? 'all datasets' }
    : { kind: 'restore', action: `drill ${kind}`, subject: dataset?.name ?? where };
}

function entries(agent: Agent): DrillEntry[] {
  return agent.drills.history.all().map(({ record, report, isAnchored }) => ({
    id: record.hash,
    agent: agent.nameOf(record.statement.writer),
    sequence: record.statement.sequence,
    timeMs: record.statement.timeMs,
    isAnchored,
    report,
  }));
}

/** Whole sequences: one that is left out would show. */
async function evidence(agent: Agent): Promise<{ genesis: string; statements: string[] }> {
  const { ledger } = agent;
  const statements: Uint8Array[] = [];
  for (const { writer, stream, sequence } of ledger.heads()) {
    if (stream !== clusterStream && stream !== drillStream) continue;
    for (let from = 1; from <= sequence; ) {
      const batch = await ledger.read(writer, stream, from, limits.statementsPerResponse);
      if (batch.length === 0) break;
      statements.push(...batch);
      from += batch.length;
    }
  }
  return { genesis: base64(ledger.genesisBytes), statements: statements.map(base64) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function planReport(
  agent: Agent,
  { dataset, rule, part, nextMs, problem }: PlannedDrill,
): DrillPlanReport {
  const { everyMs, sampleBytes, window: hours, agents } = rule;
  return {
    ...{ dataset: dataset.name, datasetId: dataset.id, source: agent.nameOf(dataset.writer) },
    ...{ everyMs, agents: [...agents], part, nextMs },
    state: agent.drills.history.stateOf(dataset),
    ...(sampleBytes === undefined ? {} : { sampleBytes }),
    ...(hours === undefined ? {} : { window: hoursText(hours) }),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** How a dataset stands with its drills, for `status`. */
export function drillStatus(agent: Agent, dataset: DatasetRecord): DrillStatus {
  const { ledger } = agent;
  const drills = agent.drills.history;
  const rule = ledger.roster.ruleFor(dataset.ruleName);
  const last = drills.of(dataset.id).findLast(({ report }) => isRehearsal(report));
  const everyMs = rule.drill?.everyMs;
  return {
    state: drills.stateOf(dataset),
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(last === undefined ? {} : { last: lastOf(agent, last) }),
    objectives: rule.objectives ?? {},
  };
}

/** Datasets that the policy wants rehearsed, and that were not in time. */
export function drillWarnings(agent: Agent): string[] {
  return agent.lines.all().flatMap((dataset) => {
    const state = agent.drills.history.stateOf(dataset);
    if (state !== 'overdue' && state !== 'never') return [];
    const what = state === 'never' ? 'was never drilled' : 'has an overdue drill';
    return [`${dataset.name} ${what}: holdfast drill run dataset ${dataset.name} --kit FILE`];
  });
}

function lastOf(
  agent: Agent,
  { record, report }: ReturnType<Agent['drills']['history']['all']>[number],
): NonNullable<DrillStatus['last']> {
  const { rtoMs, rpoMs } = report.times;
  return {
    id: record.hash,
    timeMs: report.endedMs,
    outcome: report.outcome,
    scope: report.scope,
    ...(rtoMs === undefined ? {} : { rtoMs }),
    ...(rpoMs === undefined ? {} : { rpoMs }),
    isRtoReckoned: report.isRtoReckoned,
    agent: agent.nameOf(record.statement.writer),
  };
}
