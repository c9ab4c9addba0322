import { fromUtf8 } from '../base/bytes.ts';
import { limits } from '../core/limits.ts';
import {
  type DrillCriterion,
  type DrillReport,
  encodeDrillReport,
  type ValidationFacts,
} from '../core/policy/drill-report.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import { stoppable } from '../services/stoppable.ts';
import type { ValidationCheck } from '../services/validate/validation.ts';
import type { ValidationResult, ValidatorProgress } from '../services/validate/validator.ts';
import type { Agent } from './agent.ts';
import { recordDrill } from './drill-api.ts';
import type { ValidateApi, ValidateEvent, ValidateRequest } from './validate-types.ts';

/** In a report, which every member keeps; each is cut short. */
const findingsSignedMax = 24;
const textMax = 160;
const peersMax = 40;

export function validateApi(agent: Agent): ValidateApi {
  return { validate: (request) => stoppable((signal) => validate(agent, request, signal)) };
}

async function* validate(
  agent: Agent,
  request: ValidateRequest,
  signal: AbortSignal,
): AsyncGenerator<ValidateEvent> {
  const { dataset: name, decodeShare } = request;
  const dataset = name === undefined ? undefined : agent.lines.find(name);
  const startedMs = agent.clock.nowMs();
  const run = agent.validator.run({ dataset: dataset?.id, decodeShare }, signal);
  for await (const progress of run) {
    if (progress.kind !== 'done') yield eventOf(progress);
    else yield await signed(agent, reportOf(agent, progress.result, { dataset, startedMs }));
  }
}

function eventOf(progress: Exclude<ValidatorProgress, { kind: 'done' }>): ValidateEvent {
  if (progress.kind === 'finding') return { type: 'finding', ...progress.finding };
  const { current, done } = progress;
  return { type: 'status', current, done };
}

/** A word counts for others when it is that of an auditor, good or bad. */
async function signed(agent: Agent, report: DrillReport): Promise<ValidateEvent> {
  if (!agent.member().hasRole('auditor')) return { type: 'report', report };
  const fit = fitting(report);
  const { id } = await recordDrill(agent, fromUtf8(encodeDrillReport(fit)) ?? '');
  return { type: 'report', report: fit, id };
}

/** With as many findings as one statement holds; how many there were, it says in any case. */
function fitting(report: DrillReport): DrillReport {
  const { validation } = report;
  if (encodeDrillReport(report).length <= limits.drillReportSizeMax) return report;
  if (validation === undefined || validation.findings.length === 0) return report;
  const findings = validation.findings.slice(0, -1);
  return fitting({ ...report, validation: { ...validation, findings } });
}

function reportOf(
  agent: Agent,
  result: ValidationResult,
  { dataset, startedMs }: { dataset: DatasetRecord | undefined; startedMs: number },
): DrillReport {
  const { ledger, clock } = agent;
  const { name, site, agentKey } = agent.member();
  const endedMs = Math.max(startedMs, clock.nowMs());
  const { roster } = ledger;
  return {
    version: 1,
    kind: 'validation',
    where: 'cluster',
    cluster: { id: ledger.cluster, name: roster.genesis.name },
    agent: { name, site, key: agentKey },
    authority: 'none',
    startedMs,
    endedMs,
    ...(dataset !== undefined && {
      dataset: {
        ...{ name: dataset.name, id: dataset.id, source: agent.nameOf(dataset.writer) },
        sourceSite: roster.member(dataset.writer)?.site ?? '',
      },
    }),
    scope: result.packsDecoded === result.packs ? 'all' : 'sample',
    objectives: {},
    policyVersion: roster.policy.version,
    approvals: { needed: 0, by: [] },
    times: { verifyMs: endedMs - startedMs },
    isRtoReckoned: false,
    sites: [],
    criteria: criteriaOf(result),
    outcome: outcomeOf(result),
    isolation: 'no key, nothing restored, nothing changed',
    validation: factsOf(result),
  };
}

function outcomeOf(result: ValidationResult): DrillReport['outcome'] {
  if (sumOf(result) > 0) return 'failed';
  const { peersSilent, packsUnseen, missingLists } = result;
  return peersSilent.length + packsUnseen + missingLists > 0 ? 'missed' : 'passed';
}

function sumOf({ findingCounts }: ValidationResult): number {
  return Object.values(findingCounts).reduce((all, count) => all + count, 0);
}

function criteriaOf(result: ValidationResult): DrillCriterion[] {
  const { statements, packs, packsProven, packsDecoded, packsUnseen, locks } = result;
  const unseen = packsUnseen === 0 ? '' : `, ${packsUnseen} not to be seen now`;
  const words: Record<ValidationCheck, string> = {
    continuity: `${statements} statements follow each other from the first on, as fixed in the control log and as ${result.peersAsked.length} others hold them`,
    signatures: `each of ${statements} statements is signed by its writer`,
    decodability: `of ${packs} packs ${packsProven} are shown by as many members as it takes, ${packsDecoded} read whole and decoded${unseen}`,
    locks: `${locks} locks are as long as the policy asks`,
  };
  return Object.entries(words).map(([check, words_]): DrillCriterion => {
    const count = result.findingCounts[check as ValidationCheck];
    const found = `${count} ${count === 1 ? 'finding' : 'findings'}`;
    const detail = count === 0 ? words_ : `${found}; else ${words_}`;
    return { name: check, isMet: count === 0, detail };
  });
}

function factsOf(result: ValidationResult): ValidationFacts {
  const { snapshots, statements, packs, packsProven, packsDecoded, packsUnseen } = result;
  const { shardsMissing, locks, missingLists, heads } = result;
  return {
    ...{ snapshots, statements, packs, packsProven, packsDecoded, packsUnseen },
    ...{ shardsMissing, locks, missingLists, heads },
    peersAsked: result.peersAsked.slice(0, peersMax),
    peersSilent: result.peersSilent.slice(0, peersMax),
    findingCount: sumOf(result),
    findings: result.findings.slice(0, findingsSignedMax).map(({ check, subject, detail }) => ({
      ...{ check, subject: subject.slice(0, textMax), detail: detail.slice(0, textMax) },
    })),
  };
}
